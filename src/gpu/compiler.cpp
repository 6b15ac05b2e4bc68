#include "gpu/compiler.h"

#include <fmt/format.h>

#include <atomic>
#include <cstdlib>
#include <exception>
#include <future>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "gpu/kernel_cache.h"
#include "gpu/nvrtc_api.h"
#include "xinfer/core/errors.h"

namespace xinfer::gpu {
namespace {

using Key = std::pair<std::string, Arch>;

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0' && std::string_view(value) != "0";
}

/// Names of files in the cache begin so, whichever NVRTC made them.
std::string file_prefix(const std::string& hash, Arch arch) {
  return fmt::format("{}_sm{}{}_", hash, to_string(arch), is_set("XINFER_CUDA_LINEINFO") ? "_lineinfo" : "");
}

}  // namespace

struct Compiler::State {
  explicit State(const CompilerOptions& options)
      : cache(options.cache_dir), allow_compile(options.allow_compile && !is_set("XINFER_NO_COMPILE")) {}

  const KernelCache cache;
  const bool allow_compile;
  std::atomic<int> compiled = 0;
  std::mutex mutex;
  std::map<Key, std::shared_future<CubinPtr>> cubins;  // guarded by mutex

  CubinPtr make(const KernelSource& source, const Key& key);
};

CubinPtr Compiler::State::make(const KernelSource& source, const Key& key) {
  const std::string& hash = key.first;
  const Arch arch = key.second;
  const auto cached = [&](const std::string& name) -> CubinPtr {
    auto code = cache.load(name);
    return code ? std::make_shared<const Cubin>(Cubin{hash, arch, std::move(*code)}) : nullptr;
  };
  const std::string prefix = file_prefix(hash, arch);
  const std::string name = prefix + "nvrtc" + compiler_version();
  if (CubinPtr found = cached(name)) return found;
  if (!allow_compile || !compiler_available()) {
    for (const std::string& other : cache.names(prefix)) {
      if (CubinPtr found = cached(other)) return found;
    }
  }
  if (!allow_compile) {
    throw DeviceError(
        fmt::format("kernel {} of {} for sm_{} is neither part of the engine nor in the cache{}, and "
                    "compiling is forbidden",
                    source.entry, source.file, to_string(arch), cache.folder().empty() ? "" : " " + cache.folder()),
        "unset XINFER_NO_COMPILE, or build the engine for this GPU");
  }
  const KernelCache::Lock lock(cache, name);
  if (CubinPtr found = cached(name)) return found;  // another process was faster
  auto cubin = std::make_shared<const Cubin>(compile_uncached(source, arch));
  ++compiled;
  (void)cache.store(name, cubin->code);  // without a cache the next process compiles again, nothing worse
  return cubin;
}

Compiler::Compiler(const CompilerOptions& options, std::vector<CubinPtr> known)
    : state_(std::make_unique<State>(options)) {
  for (CubinPtr& cubin : known) {
    std::promise<CubinPtr> promise;
    const Key key{cubin->key, cubin->arch};
    promise.set_value(std::move(cubin));
    state_->cubins.emplace(key, promise.get_future().share());
  }
}

Compiler::~Compiler() = default;

CubinPtr Compiler::get(const KernelSource& source, Arch arch) {
  const Key key{hash_of(source), arch};
  std::promise<CubinPtr> promise;
  std::shared_future<CubinPtr> future;
  bool ours = false;
  {
    const std::scoped_lock lock(state_->mutex);
    auto [entry, added] = state_->cubins.try_emplace(key);
    if (added) entry->second = promise.get_future().share();
    future = entry->second;
    ours = added;
  }
  if (!ours) return future.get();
  try {
    promise.set_value(state_->make(source, key));
  } catch (...) {
    promise.set_exception(std::current_exception());
    const std::scoped_lock lock(state_->mutex);
    state_->cubins.erase(key);  // those who wait get the error; who comes later tries again
  }
  return future.get();
}

std::vector<CubinPtr> Compiler::get_all(std::span<const KernelSource> sources, Arch arch,
                                        const std::function<void(int done, int total)>& progress) {
  std::map<std::string, std::vector<std::size_t>> places;  // of each distinct source
  for (std::size_t i = 0; i < sources.size(); ++i) places[hash_of(sources[i])].push_back(i);
  std::vector<const std::vector<std::size_t>*> jobs;
  jobs.reserve(places.size());
  for (const auto& [hash, indices] : places) jobs.push_back(&indices);

  std::vector<CubinPtr> cubins(sources.size());
  std::atomic<std::size_t> next = 0;
  std::atomic<bool> stop = false;
  std::mutex mutex;  // of done, error and calls of progress
  int done = 0;
  std::exception_ptr error;
  const auto work = [&] {
    for (std::size_t job = next++; job < jobs.size() && !stop; job = next++) {
      try {
        const CubinPtr cubin = get(sources[jobs[job]->front()], arch);
        for (const std::size_t i : *jobs[job]) cubins[i] = cubin;
        const std::scoped_lock lock(mutex);
        ++done;
        if (progress && !stop) progress(done, static_cast<int>(jobs.size()));
      } catch (...) {
        stop = true;
        const std::scoped_lock lock(mutex);
        if (!error) error = std::current_exception();
      }
    }
  };
  std::vector<std::jthread> helpers;
  const std::size_t threads = std::min<std::size_t>(jobs.size(), std::max(1U, std::thread::hardware_concurrency()));
  for (std::size_t i = 1; i < threads; ++i) helpers.emplace_back(work);
  work();
  helpers.clear();  // joins
  if (error) std::rethrow_exception(error);
  return cubins;
}

int Compiler::compiled() const { return state_->compiled; }
const std::string& Compiler::cache_dir() const { return state_->cache.folder(); }

}  // namespace xinfer::gpu
