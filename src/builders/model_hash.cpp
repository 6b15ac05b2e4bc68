#include "builders/model_hash.h"

#include "core/hash.h"
#include "ir/printer.h"

namespace xinfer::builders {

std::string content_hash(const ir::Graph& graph) {
  Hasher hasher;
  hasher.update_string(ir::to_text(graph));
  for (std::size_t i = 0; i < graph.value_count(); ++i) {
    const ir::Value& value = graph.value(static_cast<ir::ValueId>(i));
    if (value.is_constant()) hasher.update(value.constant->raw(), value.constant->bytes());
  }
  return hasher.hex();
}

}  // namespace xinfer::builders
