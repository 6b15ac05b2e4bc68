// The step around kernels/igemm.cu.

#include "cuda/igemm.h"

#include <fmt/format.h>

#include <bit>

#include "cuda/epilogue.h"
#include "cuda/implementations.h"
#include "ir/ops.h"

namespace xinfer::cuda {
namespace {

/// Divisor of kernels/igemm_args.cuh. With p = 31 + ceil(log2 d) and m = ceil(2^p / d) < 2^32, n / d = (n m) >> p for
/// all n < 2^31.
struct Divisor {
  std::int32_t value = 1;
  std::uint32_t multiplier = 0, shift = 0;

  Divisor() = default;
  explicit Divisor(std::int64_t d) : value(static_cast<std::int32_t>(d)) {
    if (d <= 1) return;
    const auto divisor = static_cast<std::uint64_t>(d);
    const auto p = static_cast<std::uint32_t>(31 + std::bit_width(divisor - 1));
    multiplier = static_cast<std::uint32_t>(((std::uint64_t{1} << p) + divisor - 1) / divisor);
    shift = p - 32;
  }
};

/// IgemmArgs of kernels/igemm_args.cuh, member for member.
struct IgemmArgs {
  gpu::DevicePointer a = 0, b = 0, out = 0, partials = 0, arrived = 0;
  EpilogueArgs epilogue;
  BatchAxis batch[3];
  std::int64_t out_batch = 0;
  std::int32_t table_batch = 0;
  std::int32_t rows = 0, columns = 0, channels = 0, out_pitch = 0;
  Divisor tiles_n;
  std::int32_t steps = 0, split_steps = 0;
  std::int32_t a_pitch = 0, b_pitch = 0, a_bytes = 0, b_bytes = 0;
  std::int32_t tap_bytes = 0, image_bytes = 0;
  Divisor out_positions, out_w;
  std::int32_t in_h = 0, in_w = 0;
  std::int32_t kernel_h = 0, kernel_w = 0, stride_h = 0, stride_w = 0, dilation_h = 0, dilation_w = 0, pad_h = 0,
               pad_w = 0;
};

std::int32_t narrow(std::int64_t x) { return static_cast<std::int32_t>(x); }

class IgemmStep final : public Step {
 public:
  IgemmStep(const Request& request, const IgemmProblem& problem, const IgemmTile& tile, Epilogue epilogue)
      : epilogue_(std::move(epilogue)), problem_(problem), tile_(tile) {
    const std::int64_t steps = tile.steps(problem);
    args_.split_steps = narrow((steps + tile.splits - 1) / tile.splits);
    tile_.splits = static_cast<int>((steps + args_.split_steps - 1) / args_.split_steps);  // none stays empty
    set_args(steps);
    set_step_formats(request);
    kernels.push_back(source(request.target));
    if (problem.b_kind == IgemmProblem::B::kPacked) {
      residents.push_back(igemm_weights(*request.input(1).constant, problem.geometry, problem.b_element));
    }
    epilogue_.add_residents(*this);
    implementation = fmt::format("igemm:{}x{}x{}x{}", tile.m, tile.n, tile.k_bytes, tile.stages);
    if (tile_.splits > 1) {
      implementation += fmt::format("/{}", tile_.splits);
      const auto tiles = static_cast<std::size_t>(tile_.tiles(problem));
      scratch_bytes = tiles * static_cast<std::size_t>(tile_.splits) * static_cast<std::size_t>(tile.m * tile.n) * 4;
      state_bytes = tiles * sizeof(std::uint32_t);
    }
    compute = problem.a_element;
  }

  void launch(const Frame& frame, std::vector<gpu::Launch>& launches) const override {
    IgemmArgs args = args_;
    args.a = frame.inputs[0];
    args.b = problem_.b_kind == IgemmProblem::B::kPacked ? frame.resident[0] : frame.inputs[1];
    args.out = frame.outputs[0];
    args.partials = frame.scratch;
    args.arrived = frame.state;
    args.epilogue = epilogue_.args(frame);
    gpu::Launch launch;
    launch.grid = {static_cast<std::uint32_t>(tile_.tiles_m(problem_) * tile_.tiles_n(problem_)),
                   static_cast<std::uint32_t>(tile_.splits), static_cast<std::uint32_t>(problem_.batches)};
    launch.block = {static_cast<std::uint32_t>(tile_.threads())};
    launch.shared_bytes = static_cast<std::uint32_t>(tile_.shared_bytes(problem_));
    // Where the processors are filled many times over there is no gap to hide, and early blocks only take their place.
    launch.dependent = tile_.tiles(problem_) * tile_.splits <= std::int64_t{4} * frame.sm_count;
    launch.args.add(args);
    launches.push_back(std::move(launch));
  }

 private:
  void set_args(std::int64_t steps) {
    const ConvGeometry& g = problem_.geometry;
    for (std::size_t i = 0; i < problem_.axes.size(); ++i) args_.batch[i] = problem_.axes[i];
    args_.out_batch = problem_.out_batch;
    args_.table_batch = narrow(problem_.table_batch);
    args_.rows = narrow(problem_.rows);
    args_.columns = narrow(problem_.columns);
    args_.channels = narrow(problem_.channels);
    args_.out_pitch = narrow(problem_.out_pitch);
    args_.tiles_n = Divisor(tile_.tiles_n(problem_));
    args_.steps = narrow(steps);
    args_.a_pitch = narrow(problem_.a_pitch);
    args_.b_pitch = narrow(problem_.b_pitch);
    args_.a_bytes = narrow(problem_.a_bytes);
    args_.b_bytes = narrow(problem_.b_bytes);
    if (!problem_.gathers) return;
    args_.tap_bytes = narrow(problem_.tap_bytes);
    args_.image_bytes = narrow(g.in_positions() * problem_.a_pitch);
    args_.out_positions = Divisor(g.out_positions());
    args_.out_w = Divisor(g.width.out);
    args_.in_h = narrow(g.height.in);
    args_.in_w = narrow(g.width.in);
    args_.kernel_h = narrow(g.height.kernel);
    args_.kernel_w = narrow(g.width.kernel);
    args_.stride_h = narrow(g.height.stride);
    args_.stride_w = narrow(g.width.stride);
    args_.dilation_h = narrow(g.height.dilation);
    args_.dilation_w = narrow(g.width.dilation);
    args_.pad_h = narrow(g.height.pad_begin);
    args_.pad_w = narrow(g.width.pad_begin);
  }

  void set_step_formats(const Request& request) {
    const bool conv = request.node.op == ir::OpType::kConv;
    set_formats(*this, request, conv ? Order::kChannelsLast : Order::kRows, true);
    if (problem_.b_kind == IgemmProblem::B::kPacked) inputs[1] = std::nullopt;
    if (request.has(2)) inputs[2] = std::nullopt;  // folded into the epilogue's table
  }

  gpu::KernelSource source(const Target& target) const {
    gpu::KernelSource result{"igemm.cu", "igemm", {}, {}};
    const bool halves = problem_.a_element == Element::kF16;
    const auto type = [](Element element) { return element == Element::kF16 ? "f16" : name_of(element); };
    result.define("XI_TILE_M", tile_.m).define("XI_TILE_N", tile_.n).define("XI_TILE_K", tile_.k_bytes);
    result.define("XI_STAGES", tile_.stages).define("XI_WARPS_M", tile_.warps_m).define("XI_WARPS_N", tile_.warps_n);
    result.define("XI_CONV", problem_.gathers ? 1 : 0).define("XI_BATCHED", problem_.batches > 1 ? 1 : 0);
    result.define("XI_SPLIT", tile_.splits > 1 ? 1 : 0).define("XI_B", static_cast<int>(problem_.b_kind));
    result.define("XI_A", type(problem_.a_element)).define("XI_B_T", type(problem_.b_element));
    result.define("XI_FLOAT", halves ? 1 : 0).define("XI_TURING", has_async_copies(target) ? 0 : 1);
    epilogue_.define(result);
    return result;
  }

  Epilogue epilogue_;
  IgemmProblem problem_;
  IgemmTile tile_;
  IgemmArgs args_;
};

Creation create(const Request& request, const Tactic& tactic, const ir::Epilogue& activation, int weight_axis) {
  const auto problem = igemm_problem(request);
  if (const auto* reason = std::get_if<std::string>(&problem)) return Refusal{*reason};
  const auto& p = std::get<IgemmProblem>(problem);
  const auto tile = igemm_tile(p, request.target, tactic);
  if (const auto* reason = std::get_if<std::string>(&tile)) return Refusal{*reason};
  auto epilogue = Epilogue::of(request, activation, weight_axis, p.channels * (p.table_batch == 0 ? 1 : p.batches));
  if (const auto* reason = std::get_if<std::string>(&epilogue)) return Refusal{*reason};
  return std::make_unique<IgemmStep>(request, p, std::get<IgemmTile>(tile), std::get<Epilogue>(std::move(epilogue)));
}

}  // namespace

Creation create_igemm_conv(const Request& request, const Tactic& tactic) {
  return create(request, tactic, request.node.as<ir::ConvAttrs>().epilogue, 0);
}

Creation create_igemm_linear(const Request& request, const Tactic& tactic) {
  if (request.parts > 1) return Refusal{"it writes one value, not several"};
  return create(request, tactic, request.node.as<ir::LinearAttrs>().epilogue, 0);
}

Creation create_igemm_matmul(const Request& request, const Tactic& tactic) {
  const auto rank = static_cast<int>(request.input_dims(1).size());
  return create(request, tactic, {}, request.node.as<ir::MatMulAttrs>().transpose_b ? rank - 2 : rank - 1);
}

std::vector<Tactic> igemm_tactics(const Request& request) {
  const auto problem = igemm_problem(request);
  if (std::holds_alternative<std::string>(problem)) return {};
  return igemm_tactics(std::get<IgemmProblem>(problem), request.target);
}

}  // namespace xinfer::cuda
