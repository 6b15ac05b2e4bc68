#pragma once
// Session: a graph with its compiled programs, one for each batch size in use, and their idle contexts.

#include <list>
#include <memory>
#include <mutex>
#include <vector>

#include "cpu/program.h"
#include "ir/graph.h"

namespace xinfer::runtime {

class Session {
 public:
  /// A program and a context taken from the pool; goes back when destroyed.
  class Lease {
   public:
    Lease(Session& session, std::shared_ptr<const cpu::Program> program, std::unique_ptr<cpu::Context> context);
    ~Lease();
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    const cpu::Program& program() const { return *program_; }
    cpu::Context& context() const { return *context_; }

   private:
    Session& session_;
    std::shared_ptr<const cpu::Program> program_;
    std::unique_ptr<cpu::Context> context_;
  };

  Session(std::shared_ptr<const ir::Graph> graph, int threads);

  /// Compiles for `batch` when that is new. Programs of batch sizes that were not used for long are dropped.
  /// Thread-safe; one thread compiles while others that want the same batch wait.
  Lease lease(std::int64_t batch);

 private:
  struct Entry {
    std::int64_t batch;
    std::shared_ptr<const cpu::Program> program;
    std::vector<std::unique_ptr<cpu::Context>> idle;
  };
  void give_back(const std::shared_ptr<const cpu::Program>& program, std::unique_ptr<cpu::Context> context);

  static constexpr std::size_t kMaxPrograms = 8;

  std::shared_ptr<const ir::Graph> graph_;
  cpu::CompileOptions options_;
  std::shared_ptr<cpu::WeightCache> weights_;
  std::mutex mutex_;
  std::mutex compile_mutex_;
  std::list<Entry> entries_;  // most recently used first
};

}  // namespace xinfer::runtime
