#pragma once
// What the tests of engine files share: temporary folders, a graph of every operator, and tampering with stored files.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "core/file.h"
#include "core/hash.h"
#include "engine/engine_file.h"
#include "engine/engine_generated.h"
#include "engine/layout.h"
#include "xinfer/core/errors.h"

namespace xinfer::engine::testing {

namespace fs = std::filesystem;

/// A folder of its own, removed at the end.
class TempDir {
 public:
  TempDir() {
    static std::atomic<int> counter{0};
    path_ = fs::temp_directory_path() / ("xinfer_engine_" + std::to_string(getpid()) + "_" + std::to_string(counter++));
    fs::create_directories(path_);
  }
  ~TempDir() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(path_), fs::directory_iterator()));
  }

 private:
  fs::path path_;
};

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
