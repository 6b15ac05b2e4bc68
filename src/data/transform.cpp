#include "xtorch/transform.h"

#include <cxxabi.h>

#include <cstdlib>
#include <memory>

#include "data/class_name.h"

namespace xt {
namespace detail {

std::string class_name(const std::type_info& type) {
  struct Free {
    void operator()(char* text) const { std::free(text); }
  };
  int status = 0;
  const std::unique_ptr<char, Free> text(abi::__cxa_demangle(type.name(), nullptr, nullptr, &status));
  return status == 0 ? text.get() : type.name();
}

}  // namespace detail

namespace transforms {

xinfer::PreprocessStep Transform::describe() const {
  return {xinfer::PreprocessStep::Kind::kCustom, {}, {}, detail::class_name(typeid(*this))};
}

}  // namespace transforms
}  // namespace xt
