#include "cuda/prepare.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "cuda/tuned.h"
#include "cuda/tuner.h"
#include "gpu/device.h"

namespace xinfer::cuda {
namespace {

CompileOptions options_for(const Target& target) {
  CompileOptions options;
  options.target = target;
  return options;
}

engine::TunedChoice to_stored(gpu::Arch arch, std::int64_t batch, const std::string& node, const Choice& choice,
                              double microseconds = 0) {
  return {gpu::to_string(arch), batch, node, choice.implementation, choice.tactic.values, microseconds};
}

/// What some architecture or batch size refuses. Asked before anything is tuned or compiled, so that all programs of
/// the engine agree.
std::vector<engine::HostNode> find_host_nodes(const std::shared_ptr<const ir::Graph>& graph,
                                              const PrepareOptions& options, const DeviceState* state) {
  std::vector<engine::HostNode> found;
  if (!options.allow_host) return found;
  for (const gpu::Arch arch : options.archs) {
    const bool here = state != nullptr && state->target().arch == arch;
    for (const std::int64_t batch : options.batches) {
      CompileOptions compile_options = options_for(here ? state->target() : typical_target(arch));
      compile_options.allow_host = true;
      const auto program = compile(graph, batch, compile_options);
      for (const StepInfo& info : program->infos) {
        const bool known = std::any_of(found.begin(), found.end(), [&](const auto& h) { return h.node == info.node; });
        if (info.on_host && !known) found.push_back({info.node, fmt::format("{}", fmt::join(info.refusals, "; "))});
      }
    }
  }
  return found;
}

/// The choices that the heuristics make, so that other batch sizes can follow them.
std::vector<engine::TunedChoice> heuristic_choices(const Program& program) {
  std::vector<engine::TunedChoice> choices;
  for (const StepInfo& info : program.infos) {
    if (info.choice.empty()) continue;
    choices.push_back(to_stored(program.options.target.arch, program.batch, info.node, {info.choice, info.tactic}));
  }
  return choices;
}

}  // namespace

std::vector<std::int64_t> default_batches(std::int64_t max_batch) {
  std::vector<std::int64_t> result;
  for (std::int64_t batch = 1; batch < max_batch; batch *= 2) result.push_back(batch);
  result.push_back(max_batch);
  return result;
}

Target typical_target(gpu::Arch arch) {
  switch (arch.number) {
    case 75:
      return {arch, 40, 64 * 1024};
    case 80:
      return {arch, 108, 163 * 1024};
    case 90:
      return {arch, 132, 227 * 1024};
    case 100:
      return {arch, 148, 227 * 1024};
    case 120:
      return {arch, 84, 99 * 1024};
    default:  // 86, 87, 89, and what comes: the smallest limit among Ampere and newer
      return {arch, 58, 99 * 1024};
  }
}

engine::CudaParts prepare(const std::shared_ptr<const ir::Graph>& graph, const PrepareOptions& options,
                          gpu::Compiler& compiler) {
  engine::CudaParts parts;
  parts.batches = options.batches;
  std::shared_ptr<DeviceState> state;
  if (options.tune_on >= 0) {
    // The compiler lives as long as the caller's; DeviceState only borrows it.
    state = std::make_shared<DeviceState>(gpu::Device::open(options.tune_on),
                                          std::shared_ptr<gpu::Compiler>(&compiler, [](gpu::Compiler*) {}));
  }
  parts.host_nodes = find_host_nodes(graph, options, state.get());
  const auto options_on = [hosts = host_nodes_of(parts)](const Target& target) {
    CompileOptions result = options_for(target);
    result.host_nodes = hosts;
    return result;
  };
  const auto tunes = [&](gpu::Arch arch) { return state != nullptr && state->target().arch == arch; };
  TimingCache timings(compiler.cache_dir().empty() ? "" : compiler.cache_dir() + "/timings.txt");
  // Tuners first: they know how long the work will be.
  struct Piece {
    gpu::Arch arch;
    std::int64_t batch;
    std::unique_ptr<Tuner> tuner;
  };
  std::vector<Piece> pieces;
  std::int64_t total = 0, done = 0;
  for (const gpu::Arch arch : options.archs) {
    for (const std::int64_t batch : options.batches) {
      pieces.push_back({arch, batch, nullptr});
      if (tunes(arch)) {
        pieces.back().tuner = std::make_unique<Tuner>(graph, batch, options_on(state->target()), state, &timings);
        total += pieces.back().tuner->rounds();
      }
      ++total;
    }
  }
  const auto step_done = [&] {
    ++done;
    if (options.progress) options.progress(done, total);
  };
  std::map<gpu::Arch, std::map<std::string, gpu::CubinPtr>> all_cubins;
  for (const Piece& piece : pieces) {
    CompileOptions compile_options = options_on(tunes(piece.arch) ? state->target() : typical_target(piece.arch));
    std::vector<engine::TunedChoice> choices;
    if (piece.tuner) {
      for (const TunedNode& node : piece.tuner->run(step_done)) {
        choices.push_back(to_stored(piece.arch, piece.batch, node.node, node.choice, node.microseconds));
      }
      compile_options.chooser = chooser_of(choices, piece.arch, piece.batch);
    }
    const auto program = compile(graph, piece.batch, compile_options);
    if (choices.empty()) choices = heuristic_choices(*program);
    const std::vector<gpu::KernelSource> kernels = program->kernels();
    for (gpu::CubinPtr& cubin : compiler.get_all(kernels, piece.arch)) {
      all_cubins[piece.arch][cubin->key] = std::move(cubin);
    }
    parts.choices.insert(parts.choices.end(), choices.begin(), choices.end());
    step_done();
  }
  timings.save();
  for (const auto& [arch, cubins] : all_cubins) {
    for (const auto& [key, cubin] : cubins) {
      const auto* bytes = reinterpret_cast<const std::uint8_t*>(cubin->code.data());
      parts.kernels.push_back({key, gpu::to_string(arch),
                               Tensor::from<std::uint8_t>({static_cast<std::int64_t>(cubin->code.size())},
                                                          std::span(bytes, cubin->code.size()))});
    }
  }
  return parts;
}

}  // namespace xinfer::cuda
