#pragma once
// Compiler: from KernelSource to machine code, with NVRTC, each kernel once. NVRTC is loaded at run time; where it is
// missing, kernels from engines and from the cache still work.

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "gpu/arch.h"
#include "gpu/kernel_source.h"

namespace xinfer::gpu {

/// Machine code of one kernel for one architecture.
struct Cubin {
  std::string key;  ///< hash_of() the source that it was made from
  Arch arch;
  std::vector<std::byte> code;  ///< an ELF image
};
using CubinPtr = std::shared_ptr<const Cubin>;

struct CompilerOptions {
  /// Folder of compiled kernels that outlive the process. Empty: $XINFER_CACHE_DIR, else $XDG_CACHE_HOME/xinfer, else
  /// ~/.cache/xinfer. "-": none.
  std::string cache_dir;
  /// False (or $XINFER_NO_COMPILE=1): kernels must be known or in the cache.
  bool allow_compile = true;
};

/// Finds or makes cubins: in memory, among those that came with an engine, in the cache folder, with NVRTC. A cache
/// folder that can't be written costs time, not the result. Thread-safe.
class Compiler {
 public:
  explicit Compiler(const CompilerOptions& options = {}, std::vector<CubinPtr> known = {});
  ~Compiler();
  Compiler(const Compiler&) = delete;
  Compiler& operator=(const Compiler&) = delete;

  /// Waits where another thread or process is making the same one. Throws DeviceError with NVRTC's log, the file and
  /// the macros when the source does not compile, or why it can't be compiled here.
  CubinPtr get(const KernelSource& source, Arch arch);

  /// The same for many, on all cores; equal sources are made once. `progress(done, total)` is called after each, by one
  /// thread at a time; what it throws stops the work and is passed on, as is the first error.
  std::vector<CubinPtr> get_all(std::span<const KernelSource> sources, Arch arch,
                                const std::function<void(int done, int total)>& progress = {});

  /// How many kernels this object had NVRTC make.
  int compiled() const;
  /// Empty when there is none.
  const std::string& cache_dir() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Whether NVRTC was found on this machine. It is looked for once: $XINFER_NVRTC (a file), the system's libraries,
/// CUDA's usual folders, the folder that the build found, the folder of this program.
bool compiler_available();
/// "13.0"; empty without NVRTC.
std::string compiler_version();
/// Path of the library; empty without NVRTC.
std::string compiler_path();
/// Empty when compiler_available(), else what was tried.
std::string why_no_compiler();

/// Compiles without any cache. Throws as Compiler::get. Thread-safe.
Cubin compile_uncached(const KernelSource& source, Arch arch);

/// What a kernel takes, as the compiler says it (LoadedKernel says the same of a loaded one).
struct KernelUsage {
  int registers = 0;     ///< of one thread
  int stack_bytes = 0;   ///< of one thread: arrays that did not fit into registers
  int spill_bytes = 0;   ///< of one thread: stores of registers that ran out
  int shared_bytes = 0;  ///< static, of one block
};
/// Compiles to find out. Throws as Compiler::get. Thread-safe.
KernelUsage usage_of(const KernelSource& source, Arch arch);

}  // namespace xinfer::gpu
