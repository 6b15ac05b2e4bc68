#pragma once
// Attribute structs to and from lists of named fields.

#include <flatbuffers/flatbuffers.h>

#include "engine/engine_generated.h"
#include "ir/ops.h"

namespace xinfer::engine {

/// Stores every field of `attrs`.
std::vector<flatbuffers::Offset<fb::Field>> encode(flatbuffers::FlatBufferBuilder& builder,
                                                   const ir::Attributes& attrs);

/// Reads fields into the alternative `index` of ir::Attributes; a missing field keeps its default, an unknown one is an
/// EngineError (the file is from a newer xInfer). Numbers of enumerations are checked.
ir::Attributes decode(std::size_t index, const flatbuffers::Vector<flatbuffers::Offset<fb::Field>>* fields);

}  // namespace xinfer::engine
