#pragma once
// What the tests of engine files share: temporary folders, a graph of every operator, and tampering with stored files.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <memory>
#include <string>

#include "core/file.h"
#include "core/hash.h"
#include "engine/engine_file.h"
#include "engine/engine_generated.h"
#include "engine/layout.h"
#include "support/temp_dir.h"
#include "xinfer/core/errors.h"

namespace xinfer::engine::testing {

using testing_support::TempDir;

/// A graph with at least one node of every operator, a symbolic batch, and quantized values.
ir::Graph graph_of_every_operator();

/// A small quantized network: x [N, 4] -> Quantize -> Linear (s8 weights for each channel) -> Unary.
EngineFile small_engine();

/// Writes without the sync that the product's own writer waits for.
void write_quickly(const std::string& path, const std::string& bytes);

/// Bytes of `engine` as saved.
std::string bytes_of(const EngineFile& engine);

/// What load() throws for these bytes, "" when it throws nothing. Anything but an EngineError is a test failure.
std::string load_error(const std::string& bytes);

/// The stored structure as objects.
std::unique_ptr<fb::EngineT> structure_of(const std::string& bytes);

/// `bytes` with another structure, sizes and hashes set right: what an attacker could write.
std::string with_structure(const std::string& bytes, const std::string& structure);

/// `bytes` after `change` on its structure, with consistent sizes and hashes.
std::string tampered(const std::string& bytes, const std::function<void(fb::EngineT&)>& change);

/// Position of the weights section.
std::size_t weights_begin(const std::string& bytes);

}  // namespace xinfer::engine::testing
