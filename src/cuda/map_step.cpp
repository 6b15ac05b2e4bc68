#include "cuda/map_step.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace xinfer::cuda {
namespace {

constexpr std::size_t kMapOperands = 3;  // parameters of the kernel, used or not

bool is_float(Element element) { return element == Element::kF32 || element == Element::kF16; }

}  // namespace

std::string moved_type(Element element) { return fmt::format("u{}", 8 * size_of(element)); }

MapTerm real_term(MapView view, Element element, std::size_t index) {
  return {std::move(view), std::string(device_name_of(element)), "float", index, false};
}

MapTerm plain_term(MapView view, Element element, std::size_t index) {
  const std::string type(device_name_of(element));
  return {std::move(view), type, type, index, false};
}

MapTerm moved_term(MapView view, Element element, std::size_t index) {
  const std::string type = moved_type(element);
  return {std::move(view), type, type, index, false};
}

bool MapStep::add(const MapKernel& kernel, const Dims& dims, const MapTerm& out, const std::vector<MapTerm>& operands,
                  const MapFunction& function) {
  std::vector<MapView> views;
  for (const MapTerm& operand : operands) views.push_back(operand.view);
  const auto plan = plan_map(dims, out.view, views);
  if (!plan) return false;
  gpu::KernelSource source{"map.cu", "map_elements", {}, {}};
  source.define("XI_V", plan->vector).define("XI_OPERANDS", static_cast<long long>(operands.size()));
  source.define("XI_OUT_T", out.stored).define("XI_OUT_C", out.compute);
  static constexpr const char* kLetters[kMapOperands] = {"A", "B", "C"};
  for (std::size_t i = 0; i < operands.size(); ++i) {
    source.define(fmt::format("XI_{}_T", kLetters[i]), operands[i].stored);
    source.define(fmt::format("XI_{}_C", kLetters[i]), operands[i].compute);
  }
  source.define("XI_FUNCTION", kernel.function);
  for (const auto& [macro, value] : kernel.defines) source.define(macro, value);
  auto found = std::find(kernels.begin(), kernels.end(), source);
  if (found == kernels.end()) found = kernels.insert(kernels.end(), std::move(source));
  Call call{static_cast<std::size_t>(found - kernels.begin()), *plan, {}, out.index, function};
  for (const MapTerm& operand : operands) call.operands.emplace_back(operand.index, operand.resident);
  calls_.push_back(std::move(call));
  if (implementation.empty()) implementation = fmt::format("map:{}", plan->vector);
  return true;
}

bool MapStep::add_copy(const Dims& dims, const MapView& from, Element from_element, std::size_t input,
                       const MapView& to, Element to_element, std::size_t output, float ratio) {
  if (from_element == to_element && ratio == 1) {
    return add({"keep", {}}, dims, moved_term(to, to_element, output), {moved_term(from, from_element, input)}, {});
  }
  const auto is_8_bit = [](Element e) { return e == Element::kS8 || e == Element::kU8; };
  const bool converts = is_float(from_element) && is_float(to_element);
  if (!converts && !(is_8_bit(from_element) && is_8_bit(to_element))) {
    throw std::logic_error(
        fmt::format("a copy from {} to {} has no meaning", name_of(from_element), name_of(to_element)));
  }
  MapFunction function;
  function.a_scale = ratio;
  return add({"unary_real", {}}, dims, real_term(to, to_element, output), {real_term(from, from_element, input)},
             function);
}

void MapStep::set_table(Resident table) {
  table_ = residents.size();
  residents.push_back(std::move(table));
}

void MapStep::launch(const Frame& frame, std::vector<gpu::Launch>& launches) const {
  for (const Call& call : calls_) {
    gpu::Launch launch;
    launch.kernel = call.kernel;
    launch.grid = call.plan.grid();
    launch.block = {static_cast<std::uint32_t>(kMapThreads), 1, 1};
    launch.dependent = true;
    launch.args.add(call.plan.space).add(call.plan.operand(0, frame.outputs[call.output]));
    for (std::size_t i = 0; i < kMapOperands; ++i) {
      MapOperand operand;
      if (i < call.operands.size()) {
        const auto [index, resident] = call.operands[i];
        operand = call.plan.operand(i + 1, resident ? frame.resident[index] : frame.inputs[index]);
      }
      launch.args.add(operand);
    }
    MapFunction function = call.function;
    if (table_) function.table = frame.resident[*table_];
    launch.args.add(function);
    launches.push_back(std::move(launch));
  }
}

Format taken_format(const Request& request, std::size_t i, Order order, std::size_t rank) {
  if (!request.input(i).is_constant()) return request.formats[i];
  const Dims dims = request.input_dims(i);
  const Element element = request.input_element(i);
  if (order == Order::kChannelsLast && dims.size() == rank) return Format::nhwc(element);
  return {element, Order::kRows, !dims.empty() && dims.back() > 1};
}

Format given_format(const Request& request, std::size_t i, Order order) {
  const ir::ValueId id = request.output_id(i);
  const Element element = request.output_element(i);
  if (request.graph.is_output(id) && request.graph.value(id).consumers.empty()) {
    return Format::rows(is_float(element) ? Element::kF32 : element);
  }
  if (order == Order::kChannelsLast) return Format::nhwc(element);
  bool padded = is_real(request.output(i)) && request.output_dims(i).size() <= 3;
  for (std::size_t k = 0; k < request.node.inputs.size(); ++k) {
    padded = padded || (request.has(k) && !request.input(k).is_constant() && request.formats[k].padded);
  }
  return {element, Order::kRows, padded};
}

Order map_order(const Request& request) {
  const std::size_t rank = request.output_dims().size();
  for (std::size_t i = 0; i < request.node.inputs.size(); ++i) {
    if (!request.has(i) || request.input(i).is_constant() || request.input_dims(i).size() != rank) continue;
    if (request.formats[i].order == Order::kChannelsLast) return Order::kChannelsLast;
  }
  return Order::kRows;
}

bool is_real(const ir::Value& value) {
  return value.dtype == DataType::kFloat32 || (is_int8_like(value.dtype) && value.quantization.has_value());
}

}  // namespace xinfer::cuda
