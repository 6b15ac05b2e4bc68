#pragma once
// Attribute structs to and from lists of named fields.

#include <flatbuffers/flatbuffers.h>

#include <cstdint>
#include <type_traits>

#include "engine/engine_generated.h"
#include "ir/ops.h"
#include "xinfer/core/errors.h"

namespace xinfer::engine {

/// Throws EngineError when the elements of `list` don't lie where their type may: the FlatBuffers verifier looks at the
/// length in front of them only. May be null.
template <class List>
void check_alignment(const List* list) {
  using Element = std::conditional_t<std::is_same_v<typename List::return_type, const fb::Dim*>, fb::Dim,
                                     std::remove_cvref_t<typename List::return_type>>;
  if (list != nullptr && list->size() > 0 && reinterpret_cast<std::uintptr_t>(list->Data()) % alignof(Element) != 0) {
    throw EngineError("a list is misaligned", "the file is damaged: copy it again, or rebuild it");
  }
}

/// Stores every field of `attrs`.
std::vector<flatbuffers::Offset<fb::Field>> encode(flatbuffers::FlatBufferBuilder& builder,
                                                   const ir::Attributes& attrs);

/// Reads fields into the alternative `index` of ir::Attributes; a missing field keeps its default, an unknown one is an
/// EngineError (the file is from a newer xInfer). Numbers of enumerations are checked.
ir::Attributes decode(std::size_t index, const flatbuffers::Vector<flatbuffers::Offset<fb::Field>>* fields);

}  // namespace xinfer::engine
