#include "cuda/wgemm.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "core/hash.h"
#include "cuda/epilogue.h"
#include "cuda/implementations.h"
#include "ir/ops.h"

namespace xinfer::cuda {
namespace {

/// WgemmArgs of kernels/wgemm.cuh, member for member.
struct WgemmArgs {
  gpu::DevicePointer weights = 0, output = 0;
  EpilogueArgs epilogue;
  std::int32_t rows = 0, pitch = 0;
  std::int32_t row_tiles = 0, channel_tiles = 0;
  std::int32_t panels = 0, tap_panels = 0;
  std::int32_t stages = 0;
  std::int32_t group = 0;
  std::int32_t out_w = 0, out_h = 0, kernel_w = 0;
  std::int32_t stride_w = 0, stride_h = 0, pad_w = 0, pad_h = 0, dilation_w = 0, dilation_h = 0;
  std::int32_t patch_w = 0, patch_lines = 0, tile_lines = 0;
  std::int32_t part_tiles = 0;
  std::int64_t part_stride = 0;
};

constexpr int kTileRows = 8;  // row tiles that go together through all channel tiles

// Limits of cuTensorMapEncodeIm2col for four axes, and of the copy instruction's tap offsets.
constexpr std::int64_t kMinCorner = -128, kMaxCorner = 127, kMaxOffset = 255, kMaxStride = 8;

gpu::Swizzle swizzle_of(int row_bytes) {
  return row_bytes == 128 ? gpu::Swizzle::k128 : row_bytes == 64 ? gpu::Swizzle::k64 : gpu::Swizzle::k32;
}

std::string name_of(WgemmTile::Form form) {
  switch (form) {
    case WgemmTile::Form::kResident:
      return "resident";
    case WgemmTile::Form::kStreamed:
      return "streamed";
    case WgemmTile::Form::kSplit:
      return "split";
    case WgemmTile::Form::kPatch:
      return "patch";
  }
  return {};
}

std::string axis_problem(const ConvAxis& axis) {
  if (axis.stride > kMaxStride) return fmt::format("TMA takes strides up to {}", kMaxStride);
  const std::int64_t reach = (axis.kernel - 1) * axis.dilation;
  if (reach > kMaxOffset) return fmt::format("TMA reaches {} pixels from tap to tap, not {}", kMaxOffset, reach);
  if (axis.pad_begin < 0 || axis.pad_end < 0) return "the padding is negative";
  if (-axis.pad_begin < kMinCorner || axis.pad_end - reach < kMinCorner || axis.pad_end - reach > kMaxCorner) {
    return "the padding is beyond TMA's bounding box";
  }
  return {};
}

std::string im2col_problem(const ConvGeometry& g) {
  if (g.depth.in != 1 || g.depth.out != 1 || g.depth.kernel != 1 || !g.depth.is_pointwise()) {
    return "TMA's im2col is used for two spatial axes, not three";
  }
  if (std::string reason = axis_problem(g.height); !reason.empty()) return reason;
  return axis_problem(g.width);
}

class WgemmStep final : public Step {
 public:
  WgemmStep(const Request& request, const WgemmProblem& problem, const WgemmTile& tile, Epilogue epilogue)
      : problem_(problem),
        tile_(tile),
        epilogue_(std::move(epilogue)),
        gathers_(problem.im2col && tile.form != WgemmTile::Form::kPatch) {
    const bool linear = request.node.op == ir::OpType::kLinear;
    set_formats(*this, request, linear ? Order::kRows : Order::kChannelsLast, true);
    inputs.at(1).reset();
    if (request.has(2)) inputs.at(2).reset();
    const std::string form = name_of(tile.form);
    gpu::KernelSource source;
    source.file = "wgemm_" + form + ".cu";
    source.entry = "wgemm_" + form;
    source.define("XI_A", problem.input == Element::kS8 ? 0 : problem.input == Element::kU8 ? 1 : 2);
    source.define("XI_PARTS", problem.parts > 1 ? 1 : 0);
    source.define("XI_BN", tile.bn).define("XI_BK", tile.bk).define("XI_IM2COL", gathers_ ? 1 : 0);
    switch (tile.form) {
      case WgemmTile::Form::kResident:
      case WgemmTile::Form::kPatch:
        source.define("XI_WARPGROUPS", tile.warpgroups);
        break;
      case WgemmTile::Form::kStreamed:
        source.define("XI_BM", tile.bm).define("XI_CLUSTER", tile.cluster);
        break;
      case WgemmTile::Form::kSplit:
        source.define("XI_SPLIT", tile.cluster);
        break;
    }
    epilogue_.define(source);
    kernels.push_back(std::move(source));
    epilogue_.add_residents(*this, table_order(tile, problem));
    weights_ = residents.size();
    residents.push_back(weights_of(request));
    part_stride_ = static_cast<std::int64_t>(bytes_of_part(request.part_dims(), outputs[0]) / size_of(problem.output));
    implementation = fmt::format("wgemm {}:{}x{}x{}x{}x{}x{}", form, tile.bm, tile.bn, tile.bk, tile.stages,
                                 tile.warpgroups, tile.cluster);
    compute = problem.input;
  }

  void launch(const Frame& frame, std::vector<gpu::Launch>& launches) const override {
    const ConvGeometry& g = problem_.geometry;
    WgemmArgs args;
    args.weights = frame.resident[weights_];
    args.output = frame.outputs[0];
    args.epilogue = epilogue_.args(frame);
    args.rows = static_cast<std::int32_t>(problem_.rows());
    args.pitch = static_cast<std::int32_t>(problem_.pitch());
    args.row_tiles = static_cast<std::int32_t>(tile_.row_tiles(problem_));
    args.channel_tiles = static_cast<std::int32_t>(tile_.channel_tiles(problem_));
    args.panels = tile_.panels(problem_);
    args.tap_panels = tile_.tap_panels(problem_);
    args.stages = tile_.stages;
    args.group = kTileRows;
    args.out_w = static_cast<std::int32_t>(g.width.out);
    args.out_h = static_cast<std::int32_t>(g.height.out);
    args.kernel_w = static_cast<std::int32_t>(g.width.kernel);
    args.stride_w = static_cast<std::int32_t>(g.width.stride);
    args.stride_h = static_cast<std::int32_t>(g.height.stride);
    args.pad_w = static_cast<std::int32_t>(g.width.pad_begin);
    args.pad_h = static_cast<std::int32_t>(g.height.pad_begin);
    args.dilation_w = static_cast<std::int32_t>(g.width.dilation);
    args.dilation_h = static_cast<std::int32_t>(g.height.dilation);
    if (tile_.form == WgemmTile::Form::kPatch) {
      const WgemmPatch patch = patch_of(g, tile_.bm);
      args.patch_w = static_cast<std::int32_t>(patch.width);
      args.patch_lines = static_cast<std::int32_t>(patch.lines);
      args.tile_lines = static_cast<std::int32_t>(patch.tile_lines);
    }
    args.part_tiles = static_cast<std::int32_t>(problem_.part_columns() / tile_.bn);
    args.part_stride = part_stride_;
    gpu::Launch launch;
    launch.kernel = 0;
    const std::int64_t tiles = std::int64_t{args.row_tiles} * args.channel_tiles;
    switch (tile_.form) {
      case WgemmTile::Form::kResident:
      case WgemmTile::Form::kPatch:
        launch.grid.x = static_cast<std::uint32_t>(std::clamp(frame.sm_count / args.channel_tiles, 1, args.row_tiles) *
                                                   args.channel_tiles);
        launch.block.x = static_cast<std::uint32_t>(128 * tile_.warpgroups);
        break;
      case WgemmTile::Form::kStreamed:
        launch.grid.x = static_cast<std::uint32_t>(
            std::min<std::int64_t>(tiles, std::max(1, frame.sm_count / tile_.cluster) * tile_.cluster));
        launch.block.x = static_cast<std::uint32_t>(128 * (tile_.warpgroups + 1));
        break;
      case WgemmTile::Form::kSplit:
        launch.grid.x = static_cast<std::uint32_t>(tiles * tile_.cluster);
        launch.block.x = 128;
        break;
    }
    launch.shared_bytes = static_cast<std::uint32_t>(tile_.shared_bytes(problem_));
    launch.dependent = true;
    launch.args.add(activations_map(frame.inputs[0]));
    const bool copied = epilogue_.has_residual() && tile_.form != WgemmTile::Form::kSplit &&
                        tile_.form != WgemmTile::Form::kPatch;  // those two load it themselves
    launch.args.add(copied ? residual_map(frame.inputs[3]) : gpu::TensorMap{});
    launch.args.add(args);
    launches.push_back(std::move(launch));
  }

 private:
  Resident weights_of(const Request& request) const {
    const Tensor tensor = *request.input(1).constant;
    const std::string key = fmt::format(
        "wgemm weights {} {}x{} of {} channels, {} taps, {} a store", hash_bytes(tensor.raw(), tensor.bytes()),
        tile_.bn, tile_.bk, problem_.geometry.channels, problem_.geometry.taps(), store_channels(problem_.output));
    return {key, [tensor, tile = tile_, problem = problem_] { return pack_weights(tensor, tile, problem); }};
  }

  gpu::TensorMap activations_map(gpu::DevicePointer address) const {
    const ConvGeometry& g = problem_.geometry;
    const auto element = static_cast<int>(size_of(problem_.input));
    const auto channels = static_cast<std::uint64_t>(padded(g.channels));
    const auto pitch = static_cast<std::uint64_t>(problem_.tap_bytes());
    const auto depth = static_cast<std::uint32_t>(tile_.bk / element);
    const bool shared = tile_.form == WgemmTile::Form::kStreamed;  // each block of the cluster fetches a part
    const auto rows = static_cast<std::uint32_t>(tile_.bm / (shared ? tile_.cluster : 1));
    if (!problem_.im2col) {
      gpu::TiledMap map;
      map.element_bytes = element;
      map.address = address;
      map.size = {channels, static_cast<std::uint64_t>(problem_.rows())};
      map.stride = {pitch};
      map.box = {depth, rows};
      map.swizzle = swizzle_of(tile_.bk);
      return gpu::encode(map);
    }
    const auto width = static_cast<std::uint64_t>(g.width.in), height = static_cast<std::uint64_t>(g.height.in);
    if (!gathers_) {
      const WgemmPatch patch = patch_of(g, tile_.bm);
      gpu::TiledMap map;
      map.element_bytes = element;
      map.address = address;
      map.size = {channels, width, height, static_cast<std::uint64_t>(g.batch)};
      map.stride = {pitch, pitch * width, pitch * width * height};
      map.box = {depth, static_cast<std::uint32_t>(patch.width), static_cast<std::uint32_t>(patch.lines), 1};
      map.swizzle = swizzle_of(tile_.bk);
      return gpu::encode(map);
    }
    const auto corner = [](const ConvAxis& axis) {
      return static_cast<std::int32_t>(axis.pad_end - (axis.kernel - 1) * axis.dilation);
    };
    gpu::Im2colMap map;
    map.element_bytes = element;
    map.address = address;
    map.size = {channels, width, height, static_cast<std::uint64_t>(g.batch)};
    map.stride = {pitch, pitch * width, pitch * width * height};
    map.lower_corner = {static_cast<std::int32_t>(-g.width.pad_begin), static_cast<std::int32_t>(-g.height.pad_begin)};
    map.upper_corner = {corner(g.width), corner(g.height)};
    map.traversal = {1, static_cast<std::uint32_t>(g.width.stride), static_cast<std::uint32_t>(g.height.stride), 1};
    map.channels = depth;
    map.pixels = rows;
    map.swizzle = swizzle_of(tile_.bk);
    return gpu::encode(map);
  }

  gpu::TensorMap residual_map(gpu::DevicePointer address) const {
    const auto element = static_cast<int>(problem_.residual_bytes);
    const int row = tile_.bn * element % 128 == 0 ? 128 : 64;  // kResidualRow of kernels/wgemm.cuh
    gpu::TiledMap map;
    map.element_bytes = element;
    map.address = address;
    map.size = {static_cast<std::uint64_t>(problem_.pitch()), static_cast<std::uint64_t>(problem_.rows())};
    map.stride = {static_cast<std::uint64_t>(problem_.pitch() * element)};
    map.box = {static_cast<std::uint32_t>(row / element), static_cast<std::uint32_t>(tile_.bm)};
    map.swizzle = swizzle_of(row);
    return gpu::encode(map);
  }

  WgemmProblem problem_;
  WgemmTile tile_;
  Epilogue epilogue_;
  bool gathers_;             // TMA gathers the taps (im2col)
  std::size_t weights_ = 0;  // index of the resident
  std::int64_t part_stride_ = 0;
};

const ir::Epilogue& activation_of(const ir::Node& node) {
  return node.op == ir::OpType::kLinear ? node.as<ir::LinearAttrs>().epilogue : node.as<ir::ConvAttrs>().epilogue;
}

bool is_costly(ir::UnaryKind kind) {
  using enum ir::UnaryKind;
  return kind != kIdentity && kind != kRelu && kind != kClip && kind != kLeakyRelu;
}

Creation create(const Request& request, const Tactic& tactic) {
  auto made = wgemm_problem(request);
  if (const auto* reason = std::get_if<std::string>(&made)) return Refusal{*reason};
  const auto& problem = std::get<WgemmProblem>(made);
  const auto chosen = WgemmTile::from(tactic);
  if (const auto* reason = std::get_if<std::string>(&chosen)) return Refusal{*reason};
  const auto& tile = std::get<WgemmTile>(chosen);
  if (tile.shared_bytes(problem) > request.target.shared_limit) {
    return Refusal{fmt::format("the tile takes {} bytes of shared memory", tile.shared_bytes(problem))};
  }
  if (std::string reason = tile.mismatch(problem); !reason.empty()) return Refusal{reason};
  auto epilogue = Epilogue::of(request, activation_of(request.node), 0, problem.geometry.outputs);
  if (const auto* reason = std::get_if<std::string>(&epilogue)) return Refusal{*reason};
  return std::make_unique<WgemmStep>(request, problem, tile, std::move(std::get<Epilogue>(epilogue)));
}

}  // namespace

std::variant<WgemmProblem, std::string> wgemm_problem(const Request& request) {
  if (!request.target.arch.has_wgmma()) return "wgmma is of Hopper alone";
  WgemmProblem problem;
  problem.geometry = request.node.op == ir::OpType::kLinear ? linear_geometry(request) : conv_geometry(request);
  const ConvGeometry& g = problem.geometry;
  if (g.groups != 1) return "the convolution has groups";
  problem.input = request.input_element(0);
  problem.output = request.output_element();
  const ir::Value& weights = request.input(1);
  if (!weights.is_constant()) return "the weights are no constant";
  if (problem.input == Element::kS8 || problem.input == Element::kU8) {
    if (weights.dtype != DataType::kInt8) return "the weights of 8-bit activations are not s8";
  } else if (problem.input == Element::kF16) {
    if (weights.dtype != DataType::kFloat32) return "the weights of f16 activations are not real";
  } else {
    return fmt::format("wgmma is used for s8, u8 and f16, not {}", name_of(problem.input));
  }
  if (request.has(3)) {
    const Element residual = request.input_element(3);
    if (residual != Element::kS8 && residual != Element::kU8 && residual != Element::kF16) {
      return fmt::format("the residual is {}", name_of(residual));
    }
    problem.residual_bytes = size_of(residual);
  }
  problem.parts = request.parts;
  if (problem.parts > 1 && g.outputs % problem.parts != 0) return "the outputs have different widths";
  problem.costly_epilogue = is_costly(activation_of(request.node).activation);
  problem.im2col = !g.is_pointwise();
  if (problem.rows() == 0) return "the output is empty";
  if (problem.rows() > std::numeric_limits<std::int32_t>::max() / 2) return "the output has too many rows";
  if (problem.im2col) {
    if (g.channels <= 4) return "few channels: most of each pixel would be padding";
    if (std::string reason = im2col_problem(g); !reason.empty()) return reason;
  }
  return problem;
}

Creation create_wgemm_conv(const Request& request, const Tactic& tactic) { return create(request, tactic); }
Creation create_wgemm_linear(const Request& request, const Tactic& tactic) { return create(request, tactic); }

}  // namespace xinfer::cuda
