#pragma once
// Format: how a value lies in device memory. Shapes in the IR are logical (N, C, spatial...); a Format says with which
// elements, in which order, and with which padding they are stored.

#include <cstdint>
#include <string>
#include <vector>

#include "xinfer/core/data_type.h"

namespace xinfer::cuda {

using Dims = std::vector<std::int64_t>;

/// Element types on the device. Values of type f32 in the graph are stored as kF16 or kF32.
enum class Element : std::uint8_t { kF32, kF16, kS8, kU8, kS32, kS64, kBool };

std::size_t size_of(Element element);
std::string_view name_of(Element element);         ///< "f16"
std::string_view device_name_of(Element element);  ///< the type in device code (common.cuh): "half_t", "s8"

enum class Order : std::uint8_t {
  kRows,          ///< row-major in the logical order
  kChannelsLast,  ///< N, spatial..., C (rank 3 to 5)
  kPixels,        ///< as kChannelsLast, but padded to 4 channels: images of up to 4, for first layers
  kHeadsSwapped,  ///< axes 1 and 2 swapped (rank 4): attention heads (N, H, S, D) as linear layers read and write them
};

/// How a value is stored. Where `padded`, the innermost stored axis is padded to a multiple of 16 elements (4 of
/// kPixels, which is always padded); producers fill the padding with finite numbers of any value, and readers ignore it
/// or multiply it by zero.
struct Format {
  Element element = Element::kF32;
  Order order = Order::kRows;
  bool padded = false;
  bool operator==(const Format&) const = default;

  static Format rows(Element e) { return {e, Order::kRows, false}; }
  static Format padded_rows(Element e) { return {e, Order::kRows, true}; }
  static Format nhwc(Element e) { return {e, Order::kChannelsLast, true}; }
  static Format pixels(Element e) { return {e, Order::kPixels, true}; }
  static Format swapped(Element e) { return {e, Order::kHeadsSwapped, false}; }
};

inline constexpr std::int64_t kPadding = 16;       ///< elements
inline constexpr std::int64_t kPixelChannels = 4;  ///< of kPixels

/// Where the channels (axis 1) are innermost.
inline bool channels_last(Order order) { return order == Order::kChannelsLast || order == Order::kPixels; }

/// "f16 rows", "s8 nhwc", "f16 heads swapped".
std::string to_string(const Format& format);

/// Strides in elements of each logical axis, and the number of elements stored.
struct Strides {
  Dims stride;
  std::int64_t elements = 0;
  std::int64_t inner = 0;  ///< elements of the innermost stored axis, without padding
  std::int64_t pitch = 0;  ///< the same with padding
};
Strides strides_of(const Dims& dims, const Format& format);
std::size_t bytes_of(const Dims& dims, const Format& format);
/// The same, with what lies between it and the next of several such values that one step writes (Request::parts).
std::size_t bytes_of_part(const Dims& dims, const Format& format);

/// Whether the order exists for tensors of this rank.
bool fits(const Format& format, std::size_t rank);

/// True when both formats store this shape byte for byte alike (N x C x 1 x 1 with C a multiple of 16, for example).
bool same_memory(const Dims& dims, const Format& a, const Format& b);

}  // namespace xinfer::cuda
