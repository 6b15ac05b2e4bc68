#include "runtime/session.h"

#include <algorithm>

namespace xinfer::runtime {

Session::Lease::Lease(Session& session, std::shared_ptr<const cpu::Program> program,
                      std::unique_ptr<cpu::Context> context)
    : session_(session), program_(std::move(program)), context_(std::move(context)) {}

Session::Lease::~Lease() { session_.give_back(program_, std::move(context_)); }

Session::Session(std::shared_ptr<const ir::Graph> graph, int threads)
    : graph_(std::move(graph)), weights_(cpu::make_weight_cache()) {
  options_.threads = threads;
}

Session::Lease Session::lease(std::int64_t batch) {
  const auto take = [&]() -> std::pair<std::shared_ptr<const cpu::Program>, std::unique_ptr<cpu::Context>> {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.batch == batch; });
    if (found == entries_.end()) return {};
    entries_.splice(entries_.begin(), entries_, found);
    std::unique_ptr<cpu::Context> context;
    if (!found->idle.empty()) {
      context = std::move(found->idle.back());
      found->idle.pop_back();
    }
    return {found->program, std::move(context)};
  };
  auto [program, context] = take();
  if (program == nullptr) {
    const std::lock_guard compiling(compile_mutex_);
    std::tie(program, context) = take();
    if (program == nullptr) {
      program = cpu::compile(graph_, batch, options_, weights_);
      const std::lock_guard lock(mutex_);
      entries_.push_front({batch, program, {}});
      if (entries_.size() > kMaxPrograms) entries_.pop_back();
    }
  }
  if (context == nullptr) context = program->new_context();
  return {*this, std::move(program), std::move(context)};
}

void Session::give_back(const std::shared_ptr<const cpu::Program>& program, std::unique_ptr<cpu::Context> context) {
  const std::lock_guard lock(mutex_);
  for (Entry& entry : entries_) {
    if (entry.program == program) {
      entry.idle.push_back(std::move(context));
      return;
    }
  }
}

}  // namespace xinfer::runtime
