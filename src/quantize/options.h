#pragma once
// What the caller may ask of a quantization plan.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "ir/ops.h"
#include "quantize/ranges.h"
#include "quantize/weights.h"

namespace xinfer::quantize {

enum class Precision : std::uint8_t {
  kInt8,   ///< reads 8-bit integers
  kFloat,  ///< runs in float32
  kIndex,  ///< works on shapes, indices or booleans: has no precision to choose
};

/// "int8", "float", "index".
std::string_view name_of(Precision precision);

/// Sets the precision of the nodes that it matches; a later override wins over an earlier one.
struct PrecisionOverride {
  enum class Match : std::uint8_t {
    kNode,    ///< the node called `pattern`
    kGlob,    ///< nodes whose name fits `pattern`: * is any text (slashes too), ? is one character
    kOpType,  ///< nodes of operator `op`
  };
  Match match = Match::kNode;
  std::string pattern;
  ir::OpType op = ir::OpType::kConv;
  /// kFloat forces float; kInt8 takes back an earlier override, so that the plan's own rules decide again.
  Precision precision = Precision::kFloat;
  std::string why = {};  ///< the reason to give for nodes that it keeps in float; empty: names the override
};

/// Parameters that somebody chose for a layer with care, in place of rounding its float weights to nearest.
struct LayerParameters {
  QuantizedWeights weights;
  Tensor bias;  ///< f32 (channels); empty: the layer's own, if it has one
};
/// By the name of the node.
using LayerChoices = std::map<std::string, LayerParameters>;

struct PlanOptions {
  RangeMethod method = RangeMethod::kAuto;  ///< used where the plan picks ranges from a calibration itself
  std::vector<PrecisionOverride> overrides;
  std::vector<std::string> keep_float;  ///< shorthand for kGlob overrides to float; applied before `overrides`
  bool symmetric_s8_only = false;       ///< no u8 anywhere (TensorRT's Q/DQ form forbids it)
  bool quantize_matmul = false;         ///< run MatMul between two activations in INT8 too
  /// Let an INT8 Conv or Linear that writes f32 read a float residual that has no integer form otherwise, in place of
  /// quantizing it: the residual stream of a transformer then stays exact. One that writes integers always reads an
  /// integer residual.
  bool float_residuals = true;
  LayerChoices layers;  ///< for nodes that run in INT8; nodes without an entry get rounded weights
};

/// True when `name` fits `pattern` (see PrecisionOverride::Match::kGlob).
bool glob_matches(std::string_view pattern, std::string_view name);

}  // namespace xinfer::quantize
