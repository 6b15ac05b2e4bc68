#include "cuda/format.h"

#include <stdexcept>
#include <utility>

#include "cuda/step.h"

namespace xinfer::cuda {

std::size_t size_of(Element element) {
  switch (element) {
    case Element::kF32:
    case Element::kS32:
      return 4;
    case Element::kF16:
      return 2;
    case Element::kS64:
      return 8;
    case Element::kS8:
    case Element::kU8:
    case Element::kBool:
      return 1;
  }
  throw std::logic_error("an element type without a size");
}

std::string_view name_of(Element element) {
  switch (element) {
    case Element::kF32:
      return "f32";
    case Element::kF16:
      return "f16";
    case Element::kS8:
      return "s8";
    case Element::kU8:
      return "u8";
    case Element::kS32:
      return "s32";
    case Element::kS64:
      return "s64";
    case Element::kBool:
      return "bool";
  }
  return "unknown";
}

std::string_view device_name_of(Element element) {
  switch (element) {
    case Element::kF32:
      return "float";
    case Element::kF16:
      return "half_t";
    default:
      return name_of(element);
  }
}

std::string to_string(const Format& format) {
  std::string text(name_of(format.element));
  if (format.order == Order::kChannelsLast) return text + (format.padded ? " nhwc" : " nhwc, unpadded");
  if (format.order == Order::kPixels) return text + " pixels";
  text += format.order == Order::kHeadsSwapped ? " heads swapped" : " rows";
  return text + (format.padded ? ", padded" : "");
}

Strides strides_of(const Dims& dims, const Format& format) {
  Strides result;
  result.stride.assign(dims.size(), 0);
  // Stored order of the axes, outermost first.
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (!channels_last(format.order) || i != 1) order.push_back(i);
  }
  if (channels_last(format.order)) order.push_back(1);
  if (format.order == Order::kHeadsSwapped) std::swap(order.at(1), order.at(2));
  result.inner = dims.empty() ? 1 : dims[order.back()];
  const std::int64_t unit = !format.padded ? 1 : format.order == Order::kPixels ? kPixelChannels : kPadding;
  result.pitch = (result.inner + unit - 1) / unit * unit;
  std::int64_t step = 1;
  for (std::size_t i = order.size(); i-- > 0;) {
    result.stride[order[i]] = step;
    step *= i + 1 == order.size() ? result.pitch : dims[order[i]];
  }
  result.elements = dims.empty() ? result.pitch : step;
  return result;
}

std::size_t bytes_of(const Dims& dims, const Format& format) {
  return static_cast<std::size_t>(strides_of(dims, format).elements) * size_of(format.element);
}

std::size_t bytes_of_part(const Dims& dims, const Format& format) {
  return (bytes_of(dims, format) + kAddressUnit - 1) / kAddressUnit * kAddressUnit;
}

bool fits(const Format& format, std::size_t rank) {
  switch (format.order) {
    case Order::kRows:
      return true;
    case Order::kChannelsLast:
    case Order::kPixels:
      return rank >= 3 && rank <= 5;
    case Order::kHeadsSwapped:
      return rank == 4;
  }
  return false;
}

bool same_memory(const Dims& dims, const Format& a, const Format& b) {
  if (a.element != b.element) return false;
  if (a == b) return true;
  const Strides x = strides_of(dims, a);
  const Strides y = strides_of(dims, b);
  if (x.elements != y.elements) return false;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] > 1 && x.stride[i] != y.stride[i]) return false;
  }
  return true;
}

Element element_of(DataType type, Element real) {
  switch (type) {
    case DataType::kFloat32:
      return real;
    case DataType::kInt8:
      return Element::kS8;
    case DataType::kUInt8:
      return Element::kU8;
    case DataType::kInt32:
      return Element::kS32;
    case DataType::kInt64:
      return Element::kS64;
    case DataType::kBool:
      return Element::kBool;
  }
  throw std::logic_error("a data type without a device element");
}

void set_formats(Step& step, const Request& request, Order order, bool padded) {
  step.inputs.assign(request.node.inputs.size(), std::nullopt);
  for (std::size_t i = 0; i < step.inputs.size(); ++i) {
    if (request.has(i)) step.inputs[i] = Format{request.input_element(i), order, padded};
  }
  step.outputs.clear();
  for (std::size_t i = 0; i < request.node.outputs.size(); ++i) {
    step.outputs.push_back({request.output_element(i), order, padded});
  }
}

Order preferred_order(const Request& request) {
  for (std::size_t i = 0; i < request.node.inputs.size(); ++i) {
    if (!request.has(i) || request.input(i).is_constant()) continue;
    if (request.formats[i].order == Order::kChannelsLast) return Order::kChannelsLast;
  }
  return Order::kRows;
}

}  // namespace xinfer::cuda
