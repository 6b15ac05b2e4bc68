#pragma once
// The engine file: everything that running needs, and where it came from. The wall between building and running.
//
//   offset 0     header, 80 bytes: magic "XINFENG\0", u32 format version, u32 endianness mark, u64 file size,
//                u64 offset and u64 size of the structure, 32 hex digits XXH3 of the structure, 8 bytes zero
//   offset 80    structure: FlatBuffers table of engine.fbs
//   then         sections, each aligned to 64 bytes, with size and hash in the structure

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ir/graph.h"
#include "xinfer/core/preprocessing.h"

namespace xinfer::engine {

inline constexpr std::uint32_t kFormatVersion = 1;

/// Which precision one node got when the engine was built, and why.
struct Decision {
  std::string node;
  std::string op;
  std::string precision;  ///< "int8", "fp32"
  std::string reason;     ///< empty for the node's wanted precision
};

/// Machine code of one GPU kernel.
struct DeviceKernel {
  std::string key;   ///< hash of its source
  std::string arch;  ///< "90a"
  Tensor code;       ///< u8: an ELF image
};

/// Which implementation of a node was fastest, measured on a GPU of this architecture.
struct TunedChoice {
  std::string arch;
  std::int64_t batch = 1;
  std::string node;
  std::string implementation;
  std::vector<int> tactic;
  double microseconds = 0;  ///< as timed, launched by itself; 0: chosen by rule
};

/// A node that runs on the host when the engine runs on a GPU, because the build was allowed to leave it there.
struct HostNode {
  std::string node;
  std::string reason;  ///< why no kernel takes it
};

/// What an engine for NVIDIA GPUs holds beyond the graph.
struct CudaParts {
  std::vector<std::int64_t> batches;  ///< sizes that kernels were compiled for
  std::vector<DeviceKernel> kernels;  ///< in the order of arch and key
  std::vector<TunedChoice> choices;
  std::vector<HostNode> host_nodes;  ///< all others run on the GPU, or not at all
};

/// What calibration saw at the end of a tensor's integer range: what the same data should show while running.
struct TensorRangeInfo {
  std::string name;          ///< of the tensor: before the Quantize where there is one
  float threshold = 0;       ///< magnitude that the largest integer stands for
  double clipped_share = 0;  ///< share of the values that lay at the end of the range or beyond it, 0..1
  bool operator==(const TensorRangeInfo&) const = default;
};

struct EngineFile {
  std::string producer;  ///< "xinfer 0.1.0"
  std::string target;    ///< "cpu-x86_64", "cuda-75,90a"
  std::int64_t max_batch = 1;
  ir::Graph graph;
  Preprocessing preprocessing;
  std::vector<std::string> labels;                         ///< class names, may be empty
  std::vector<Decision> decisions;                         ///< one for each node
  std::vector<std::pair<std::string, std::string>> facts;  ///< provenance, in the order to print
  std::vector<TensorRangeInfo> ranges;                     ///< may be empty: not measured
  std::optional<CudaParts> cuda;                           ///< set: built for NVIDIA GPUs (a CPU can run it too)
};

/// Writes atomically. The same EngineFile always gives the same bytes. Throws Error on I/O failure.
void save(const EngineFile& engine, const std::string& path);

/// Maps the file and checks everything before use: magic, version, endianness, sizes against the file, hashes, the
/// FlatBuffers verifier, ids, enumerations, constants against their section, and the graph's own verifier. Constants
/// point into the mapping. Throws EngineError naming the file and what is wrong.
EngineFile load(const std::string& path);

/// Size of the file in bytes. Throws EngineError when there is none.
std::uint64_t file_size(const std::string& path);

}  // namespace xinfer::engine
