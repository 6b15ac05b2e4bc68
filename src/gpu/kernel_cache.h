#pragma once
// KernelCache: compiled kernels on disk. Files are never trusted: each holds a hash of its name and contents.

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace xinfer::gpu {

/// Thread-safe, and safe beside other processes that use the same folder.
class KernelCache {
 public:
  /// `folder` as CompilerOptions::cache_dir says it; the environment is read here.
  explicit KernelCache(const std::string& folder);

  const std::string& folder() const { return folder_; }  ///< empty: no cache

  /// Empty when there is none, or it is damaged.
  std::optional<std::vector<std::byte>> load(const std::string& name) const;
  /// Names in the folder that begin so, ordered.
  std::vector<std::string> names(std::string_view prefix) const;
  /// Written beside and renamed. False when the folder can't be written: a cache is a convenience.
  bool store(const std::string& name, std::span<const std::byte> code) const;

  /// Held while one name is being made, so that one process at a time makes it. Waits for the others.
  class Lock {
   public:
    Lock(const KernelCache& cache, const std::string& name);
    ~Lock();
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

   private:
    int fd_ = -1;
  };

 private:
  std::string path_of(const std::string& name) const;
  std::string folder_;
};

}  // namespace xinfer::gpu
