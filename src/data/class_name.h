#pragma once
// Readable names of C++ classes.

#include <string>
#include <typeinfo>

namespace xt::detail {

/// "acme::Blur" for the type of an object.
std::string class_name(const std::type_info& type);

}  // namespace xt::detail
