#pragma once
// ProgramPool: compiled programs, one for each batch size in use, and their idle contexts.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <tuple>
#include <utility>
#include <vector>

namespace xinfer::runtime {

/// Thread-safe.
template <class Program, class Context>
class ProgramPool {
 public:
  using Compile = std::function<std::shared_ptr<const Program>(std::int64_t batch)>;
  using NewContext = std::function<std::unique_ptr<Context>(const std::shared_ptr<const Program>&)>;

  /// A program and a context taken from the pool; goes back when destroyed.
  class Lease {
   public:
    Lease(ProgramPool& pool, std::shared_ptr<const Program> program, std::unique_ptr<Context> context)
        : pool_(pool), program_(std::move(program)), context_(std::move(context)) {}
    ~Lease() { pool_.give_back(program_, std::move(context_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    const Program& program() const { return *program_; }
    Context& context() const { return *context_; }

   private:
    ProgramPool& pool_;
    std::shared_ptr<const Program> program_;
    std::unique_ptr<Context> context_;
  };

  ProgramPool(Compile compile, NewContext new_context)
      : compile_(std::move(compile)), new_context_(std::move(new_context)) {}

  /// Compiles for `batch` when that is new. Programs of batch sizes that were not used for long are dropped. One thread
  /// compiles while others that want the same batch wait.
  Lease lease(std::int64_t batch) {
    auto [program, context] = program_and_context(batch);
    if (context == nullptr) context = new_context_(program);
    return {*this, std::move(program), std::move(context)};
  }

  /// The same without a context.
  std::shared_ptr<const Program> program(std::int64_t batch) {
    auto [program, context] = program_and_context(batch);
    if (context != nullptr) give_back(program, std::move(context));
    return program;
  }

 private:
  using Taken = std::pair<std::shared_ptr<const Program>, std::unique_ptr<Context>>;
  struct Entry {
    std::int64_t batch;
    std::shared_ptr<const Program> program;
    std::vector<std::unique_ptr<Context>> idle;
  };

  Taken take(std::int64_t batch) {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.batch == batch; });
    if (found == entries_.end()) return {};
    entries_.splice(entries_.begin(), entries_, found);
    std::unique_ptr<Context> context;
    if (!found->idle.empty()) {
      context = std::move(found->idle.back());
      found->idle.pop_back();
    }
    return {found->program, std::move(context)};
  }

  Taken program_and_context(std::int64_t batch) {
    Taken taken = take(batch);
    if (taken.first != nullptr) return taken;
    const std::lock_guard compiling(compile_mutex_);
    taken = take(batch);
    if (taken.first != nullptr) return taken;
    taken.first = compile_(batch);
    const std::lock_guard lock(mutex_);
    entries_.push_front({batch, taken.first, {}});
    if (entries_.size() > kMaxPrograms) entries_.pop_back();
    return taken;
  }

  void give_back(const std::shared_ptr<const Program>& program, std::unique_ptr<Context> context) {
    const std::lock_guard lock(mutex_);
    for (Entry& entry : entries_) {
      if (entry.program == program) {
        entry.idle.push_back(std::move(context));
        return;
      }
    }
  }

  static constexpr std::size_t kMaxPrograms = 8;

  Compile compile_;
  NewContext new_context_;
  std::mutex mutex_;
  std::mutex compile_mutex_;
  std::list<Entry> entries_;  // most recently used first
};

}  // namespace xinfer::runtime
