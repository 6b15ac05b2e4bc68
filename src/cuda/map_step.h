#pragma once
// MapStep: launches of kernels/map.cu, and what the operators built on it share: how values are taken and given.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cuda/index_map.h"
#include "cuda/step.h"

namespace xinfer::cuda {

/// MapFunction of kernels/map.cu, member for member. Reals are element * scale.
struct MapFunction {
  gpu::DevicePointer table = 0;
  std::int64_t low = 0, high = 0;
  float a_scale = 1, b_scale = 1;
  float alpha = 0, beta = 0;
  float activation_alpha = 0, activation_beta = 0;
  float out_scale = 1;
};

/// A tensor of a map: where its elements lie, their type in memory, and the type that they are computed with.
struct MapTerm {
  MapView view;
  std::string stored, compute;
  std::size_t index = 0;  ///< input of the node, or output for the result
  bool resident = false;  ///< index counts Step::residents instead
};

/// Computed with in float.
MapTerm real_term(MapView view, Element element, std::size_t index);
/// Computed with in its own type.
MapTerm plain_term(MapView view, Element element, std::size_t index);
/// Only moved: any element of that size.
MapTerm moved_term(MapView view, Element element, std::size_t index);
/// The unsigned type of a moved element: "u16".
std::string moved_type(Element element);

/// Which function of kernels/map.cu, and with which macros.
struct MapKernel {
  std::string function;
  std::vector<std::pair<std::string, std::string>> defines;
};

class MapStep final : public Step {
 public:
  /// Adds a launch that writes `out` over `dims`. False when the loop is too large for a kernel.
  [[nodiscard]] bool add(const MapKernel& kernel, const Dims& dims, const MapTerm& out,
                         const std::vector<MapTerm>& operands, const MapFunction& function);
  /// Adds a launch that copies; between f32 and f16 it converts, and integers are multiplied by `ratio` where that is
  /// not 1 (they are then 8-bit).
  [[nodiscard]] bool add_copy(const Dims& dims, const MapView& from, Element from_element, std::size_t input,
                              const MapView& to, Element to_element, std::size_t output, float ratio = 1);
  /// The 256 bytes that look_up reads in the launches added so far.
  void set_table(Resident table);
  void launch(const Frame& frame, std::vector<gpu::Launch>& launches) const override;

 private:
  struct Call {
    std::size_t kernel;
    MapPlan plan;
    std::vector<std::pair<std::size_t, bool>> operands;  // index, resident
    std::size_t output;
    MapFunction function;
  };
  std::vector<Call> calls_;
  std::optional<std::size_t> table_;
};

/// A step whose output is its input's memory.
class AliasStep final : public Step {
 public:
  AliasStep(const Format& in, const Format& out) {
    implementation = "alias";
    inputs = {in};
    outputs = {out};
    compute = out.element;
    alias = true;
  }
  void launch(const Frame&, std::vector<gpu::Launch>&) const override {}
};

/// How a map takes input i: as its producer wrote it. Constants come in `order` where their rank is `rank`.
Format taken_format(const Request& request, std::size_t i, Order order, std::size_t rank);
/// How a map gives output i in `order`; graph outputs that nobody reads are written as the outside wants them.
Format given_format(const Request& request, std::size_t i, Order order);
/// kChannelsLast where an operand of the output's rank lies so.
Order map_order(const Request& request);
/// f32, or 8-bit integers that stand for reals.
bool is_real(const ir::Value& value);

}  // namespace xinfer::cuda
