#pragma once
// KernelSource: what to compile for one kernel. Compiled at build time or when an engine is loaded; see compiler.h.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace xinfer::gpu {

/// A device source and the constants that specialise it. Two equal sources give the same kernel, so keep what changes
/// from layer to layer (sizes, strides) in the kernel's arguments unless a constant there pays.
struct KernelSource {
  std::string file;   ///< a file of src/cuda/kernels, embedded as text: "igemm.cu"
  std::string entry;  ///< its extern "C" __global__ function
  std::vector<std::pair<std::string, std::string>> defines{};  ///< macros, in a fixed order
  std::string prologue{};  ///< generated text, compiled before the file (after the macros); mostly empty

  bool operator==(const KernelSource&) const = default;

  KernelSource& define(std::string macro, std::string_view value) {
    defines.emplace_back(std::move(macro), value);
    return *this;
  }
  KernelSource& define(std::string macro, long long value) { return define(std::move(macro), std::to_string(value)); }
};

/// The whole text that the compiler sees. Throws std::logic_error when the file is not embedded.
std::string text_of(const KernelSource& source);

/// Changes with the file and everything that it includes, entry, macros, and prologue: 32 hex digits.
std::string hash_of(const KernelSource& source);

/// An embedded file of src/cuda/kernels ("igemm.cu", "common.cuh"). Throws std::logic_error when there is none.
std::string_view embedded_source(std::string_view file);
std::vector<std::string_view> embedded_sources();

}  // namespace xinfer::gpu
