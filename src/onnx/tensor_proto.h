#pragma once
// TensorProto to Tensor, trusting no declared size.

#include <cstdint>
#include <string>

#include "onnx/external_data.h"
#include "onnx/proto.h"
#include "xinfer/core/tensor.h"

namespace xinfer::onnx {

inline constexpr int kMaxRank = 16;  ///< more dimensions than any model has
/// Largest number of elements of any tensor in a model. Keeps all products of sizes far from overflow.
inline constexpr std::int64_t kMaxElements = std::int64_t{1} << 40;

/// How the IR holds elements of an ONNX type (TensorProto::DataType): double, float16 and bfloat16 become f32; 16-bit
/// integers and unsigned ones wider than 8 bits become s64. Throws UnsupportedError for strings, complex, 4- and 8-bit
/// float types.
DataType ir_type(int onnx_type);
/// "float16", "int64", or "type 99".
std::string type_name(int onnx_type);

/// Converts one tensor. Throws ModelError naming the tensor when its payload doesn't have exactly the size that type
/// and shape ask for, when a shape is negative or too large, or when a value doesn't fit its type.
Tensor read_tensor(const TensorProto& proto, ExternalData& external);

/// Throws ModelError naming `name` when a float tensor holds NaN, or (with `infinity`) an infinite value.
void check_finite(const Tensor& tensor, const std::string& name, bool infinity);

}  // namespace xinfer::onnx
