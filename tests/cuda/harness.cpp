#include "cuda/harness.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cuda/executor.h"
#include "cuda/implementations.h"
#include "reference/reference.h"
#include "xinfer/core/errors.h"

namespace xinfer::cuda::testing {

Tensor Random::floats(const Sizes& shape, float low, float high) {
  Tensor t(DataType::kFloat32, shape);
  for (float& x : t.data<float>()) x = real(low, high);
  return t;
}

Tensor Random::eighths(const Sizes& shape, int low, int high) {
  Tensor t(DataType::kFloat32, shape);
  for (float& x : t.data<float>()) x = static_cast<float>(integer(low, high)) / 8.0F;
  return t;
}

Tensor Random::integers(DataType type, const Sizes& shape, int low, int high) {
  Tensor t(type, shape);
  const auto fill = [&](auto values, int least, int most) {
    for (auto& x : values) {
      x = static_cast<std::decay_t<decltype(x)>>(integer(std::max(low, least), std::min(high, most)));
    }
  };
  switch (type) {
    case DataType::kInt8:
      fill(t.data<std::int8_t>(), -128, 127);
      break;
    case DataType::kUInt8:
      fill(t.data<std::uint8_t>(), 0, 255);
      break;
    case DataType::kInt32:
      fill(t.data<std::int32_t>(), low, high);
      break;
    case DataType::kInt64:
      fill(t.data<std::int64_t>(), low, high);
      break;
    default:
      throw std::logic_error("not an integer type");
  }
  return t;
}

Tensor Random::bools(const Sizes& shape) {
  Tensor t(DataType::kBool, shape);
  for (auto& x : t.data<bool>()) x = integer(0, 1) != 0;
  return t;
}

Tensor Random::any(DataType type, const Sizes& shape) {
  switch (type) {
    case DataType::kFloat32:
      return eighths(shape);
    case DataType::kInt8:
    case DataType::kUInt8:
      return integers(type, shape, -128, 255);
    case DataType::kInt32:
    case DataType::kInt64:
      return integers(type, shape, 0, 2);
    case DataType::kBool:
      return bools(shape);
  }
  return {};
}

void make_quantized(ir::Graph& graph, ir::ValueId id, DataType type, float scale) {
  graph.value(id).dtype = type;
  graph.value(id).quantization = ir::Quantization{{scale}, {}, -1};
}

ir::ValueId quantized_input(ir::Graph& graph, const std::string& name, DataType type, const ir::Shape& shape,
                            float scale) {
  const ir::ValueId id = graph.add_input(name, type, shape);
  make_quantized(graph, id, type, scale);
  return id;
}

ir::ValueId quantized_weights(ir::Graph& graph, const std::string& name, const Sizes& shape, int axis, Random& random) {
  ir::Quantization q;
  q.axis = axis;
  for (std::int64_t i = 0; i < shape.at(static_cast<std::size_t>(axis)); ++i) {
    q.scales.push_back(std::ldexp(1.0F, -random.integer(4, 8)));
  }
  return graph.add_constant(name, random.integers(DataType::kInt8, shape, -127, 127), q);
}

namespace {

template <class T>
void compare_integers(const Tensor& expected, const Tensor& actual, double off_by_one, const std::string& what) {
  const auto a = expected.data<T>();
  const auto b = actual.data<T>();
  std::size_t different = 0, worse = 0, first = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto gap = static_cast<std::int64_t>(a[i]) - static_cast<std::int64_t>(b[i]);
    if (gap == 0) continue;
    if (different == 0) first = i;
    ++different;
    if (std::abs(gap) > 1) ++worse;
  }
  const auto allowed = static_cast<std::size_t>(std::ceil(off_by_one * static_cast<double>(a.size())));
  if (worse == 0 && different <= allowed) return;
  ADD_FAILURE() << what << different << " of " << a.size() << " differ, " << worse << " by more than 1; the first at "
                << first << " of " << xinfer::to_string(expected.shape()) << ": expected " << +a[first] << ", got "
                << +b[first];
}

void compare_floats(const Tensor& expected, const Tensor& actual, const Tolerance& tolerance, const std::string& what) {
  const auto a = expected.data<float>();
  const auto b = actual.data<float>();
  std::size_t different = 0, first = 0;
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    bool same = false;
    if (std::isnan(a[i])) {
      same = std::isnan(b[i]);
    } else if (std::isinf(a[i])) {
      same = a[i] == b[i];
    } else {
      const double gap =
          std::abs(static_cast<double>(a[i]) - b[i]) / std::max<double>(std::abs(a[i]), tolerance.absolute_scale);
      same = gap <= tolerance.relative;  // false for NaN
      if (gap > worst) worst = gap;
    }
    if (same) continue;
    if (different == 0) first = i;
    ++different;
  }
  if (different == 0) return;
  ADD_FAILURE() << what << different << " of " << a.size() << " differ, the worst by " << worst << "; the first at "
                << first << " of " << xinfer::to_string(expected.shape()) << ": expected " << a[first] << ", got "
                << b[first];
}

struct Gpu {
  std::shared_ptr<DeviceState> state;  ///< null where there is no GPU
  std::shared_ptr<gpu::Compiler> compiler;
};

const Gpu& gpu_here() {
  static const Gpu gpu = [] {
    Gpu made;
    made.compiler = std::make_shared<gpu::Compiler>();
    if (gpu::device_count() > 0) made.state = std::make_shared<DeviceState>(gpu::Device::open(), made.compiler);
    return made;
  }();
  return gpu;
}

bool hopper_only(const CheckOptions& options) {
  return options.implementation.starts_with("wgemm") || options.implementation == "attention_wgmma";
}

/// What to compile for where there is no GPU: the oldest, the first with cp.async, or Hopper, taking turns from test to
/// test; architectures_test.cpp compiles everything for all.
const Target& target_without_gpu(const CheckOptions& options) {
  static const std::vector<Target> targets{
      {{75, false}, 40, 64 * 1024}, {{80, false}, 108, 163 * 1024}, {{90, true}, 132, 227 * 1024}};
  const bool ampere_up = options.implementation == "stem_conv";
  std::vector<const Target*> possible;
  for (const Target& target : targets) {
    if (options.arch && target.arch != *options.arch) continue;
    if ((hopper_only(options) && !target.arch.has_wgmma()) || (ampere_up && !target.arch.at_least(80))) continue;
    possible.push_back(&target);
  }
  const ::testing::TestInfo& test = *::testing::UnitTest::GetInstance()->current_test_info();
  std::size_t turn = 0;
  for (const char* c = test.name(); *c != 0; ++c) turn += static_cast<unsigned char>(*c);
  return *possible.at(turn % possible.size());
}

std::string describe(const Program& program) {
  std::string text;
  for (const StepInfo& info : program.infos) {
    text += fmt::format("  {} by {} [{}] ({})\n", info.node, info.implementation, fmt::join(info.tactic.values, " "),
                        info.format);
    for (const std::string& refusal : info.refusals) text += "    not " + refusal + "\n";
  }
  return text;
}

/// The variants to run: one empty tactic where nothing is forced.
std::vector<std::optional<Choice>> choices(const ir::Graph& graph, std::int64_t batch, const Target& target,
                                           const CheckOptions& options) {
  if (options.implementation.empty()) return {std::nullopt};
  std::vector<Tactic> tactics;
  for (const Implementation& implementation : implementations_of(options.op)) {
    if (implementation.name != options.implementation) continue;
    if (implementation.tactics == nullptr) return {Choice{options.implementation, {}}};
    for (const ir::NodeId id : graph.order()) {
      const ir::Node& node = graph.node(id);
      if (node.op != options.op) continue;
      Request request{graph, node, batch, target, options.real, std::vector<Format>(node.inputs.size()), ir::kNone};
      for (const Tactic& tactic : implementation.tactics(request)) {
        if (std::find(tactics.begin(), tactics.end(), tactic) == tactics.end()) tactics.push_back(tactic);
      }
    }
  }
  if (tactics.empty()) {
    ADD_FAILURE() << options.implementation << " has no variant for sm_" << gpu::to_string(target.arch);
  }
  if (!options.all_tactics && tactics.size() > 1) tactics.resize(1);
  std::vector<std::optional<Choice>> result;
  for (const Tactic& tactic : tactics) result.push_back(Choice{options.implementation, tactic});
  return result;
}

std::shared_ptr<const Program> compile_with(const std::shared_ptr<const ir::Graph>& graph, std::int64_t batch,
                                            const Target& target, const std::optional<Choice>& choice,
                                            const CheckOptions& options) {
  CompileOptions compile_options;
  compile_options.target = target;
  compile_options.real = options.real;
  if (choice) {
    compile_options.chooser = [&](const Request& request) -> std::optional<Choice> {
      if (request.node.op != options.op) return std::nullopt;
      return choice;
    };
  }
  auto program = compile(graph, batch, compile_options);
  if (choice) {
    for (const StepInfo& info : program->infos) {
      const bool folded = info.choice.empty() && !info.on_host;  // another's launch computes it
      if (info.op == options.op && !folded) {
        EXPECT_EQ(info.choice, choice->implementation) << describe(*program);
      }
    }
  }
  return program;
}

void run_and_compare(const std::shared_ptr<const Program>& program, const std::vector<Tensor>& inputs,
                     const std::vector<Tensor>& expected, const Tolerance& tolerance) {
  Context context(std::make_shared<const LoadedProgram>(program, gpu_here().state));
  std::vector<Tensor> outputs;
  for (const Tensor& tensor : expected) outputs.emplace_back(tensor.dtype(), tensor.shape());
  for (int run = 0; run < 2; ++run) {  // twice: what one run leaves behind must not show in the next
    for (Tensor& tensor : outputs) std::fill_n(static_cast<unsigned char*>(tensor.raw()), tensor.bytes(), 0xA5);
    context.run(inputs, outputs);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      expect_equal(expected[i], outputs[i], tolerance,
                   fmt::format("run {}, batch {}, output {}\n{}", run, program->batch, i, describe(*program)));
    }
    if (::testing::Test::HasFailure()) return;
  }
}

void check_batch(const ir::Graph& graph, const std::vector<Tensor>& inputs, std::int64_t batch,
                 const Tolerance& tolerance, const CheckOptions& options) {
  const auto shared = std::make_shared<const ir::Graph>(graph);
  const Gpu& gpu = gpu_here();
  if (gpu.state == nullptr) {
    const Target& target = target_without_gpu(options);
    for (const auto& choice : choices(graph, batch, target, options)) {
      const auto program = compile_with(shared, batch, target, choice, options);
      if (gpu::compiler_available()) gpu.compiler->get_all(program->kernels(), target.arch);
    }
    return;
  }
  if (hopper_only(options) && !gpu.state->target().arch.has_wgmma()) return;
  const std::vector<Tensor> expected = reference::run(graph, inputs);
  Target target = gpu.state->target();
  if (options.arch) target.arch = *options.arch;
  for (const auto& choice : choices(graph, batch, target, options)) {
    run_and_compare(compile_with(shared, batch, target, choice, options), inputs, expected, tolerance);
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace

void expect_equal(const Tensor& expected, const Tensor& actual, const Tolerance& tolerance, const std::string& what) {
  ASSERT_EQ(expected.dtype(), actual.dtype()) << what;
  ASSERT_EQ(expected.shape(), actual.shape()) << what;
  switch (expected.dtype()) {
    case DataType::kFloat32:
      return compare_floats(expected, actual, tolerance, what);
    case DataType::kInt8:
      return compare_integers<std::int8_t>(expected, actual, tolerance.off_by_one, what);
    case DataType::kUInt8:
      return compare_integers<std::uint8_t>(expected, actual, tolerance.off_by_one, what);
    case DataType::kInt32:
      return compare_integers<std::int32_t>(expected, actual, 0, what);
    case DataType::kInt64:
      return compare_integers<std::int64_t>(expected, actual, 0, what);
    case DataType::kBool:
      return compare_integers<bool>(expected, actual, 0, what);
  }
}

void check(const ir::Graph& graph, const Tolerance& tolerance, const CheckOptions& options, std::uint32_t seed) {
  for (const std::int64_t batch : options.batches) {
    Random random(seed + static_cast<std::uint32_t>(batch));
    std::vector<Tensor> inputs;
    for (const ir::ValueId id : graph.inputs()) {
      inputs.push_back(random.any(graph.value(id).dtype, graph.value(id).shape.at(batch)));
    }
    check_batch(graph, inputs, batch, tolerance, options);
    if (::testing::Test::HasFailure()) return;
  }
}

void check_inputs(const ir::Graph& graph, const std::vector<Tensor>& inputs, const Tolerance& tolerance,
                  const CheckOptions& options) {
  check_batch(graph, inputs, reference::batch_of(graph, inputs), tolerance, options);
}

}  // namespace xinfer::cuda::testing
