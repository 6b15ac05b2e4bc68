#pragma once
// The only file that knows which version of oneDNN is there (2.6 and 3.x). Everything else calls these functions.

#include <dnnl.hpp>
#include <span>
#include <utility>
#include <vector>

#include "cpu/layout.h"
#include "ir/ops.h"
#include "xinfer/core/data_type.h"
#include "xinfer/core/tensor.h"

namespace xinfer::cpu::dnnl_api {

using Memory = dnnl::memory;
using MemoryDesc = dnnl::memory::desc;

/// The CPU engine, created at first use; oneDNN is then limited to the instruction set of kernels::detect_isa().
const dnnl::engine& engine();

/// oneDNN's name of a type. Throws UnsupportedError for s64 and bool, which it lacks.
Memory::data_type type_of(DataType type);
bool has_type(DataType type);

/// Descriptor of a tensor in one of our layouts. A scalar becomes one element.
MemoryDesc describe(DataType type, const Dims& dims, const Layout& layout);
/// Descriptor that lets the primitive choose.
MemoryDesc describe_any(DataType type, const Dims& dims);
/// Row-major with explicit strides.
MemoryDesc describe_strided(DataType type, const Dims& dims, const Dims& strides);
/// Our layout that stores `dims` as `desc` does; empty when none of ours does.
std::optional<Layout> layout_of(const MemoryDesc& desc, DataType type, const Dims& dims);

/// True for the slow generic implementations, which our own kernels beat.
template <class PrimitiveDesc>
bool is_generic(const PrimitiveDesc& desc) {
  const std::string_view name = desc.impl_info_str();
  return name.starts_with("ref") || name.starts_with("simple");
}

/// Whether oneDNN's eltwise computes this activation.
bool has_eltwise(ir::UnaryKind kind);

/// Attributes of a primitive, plus the run-time arguments that this version of oneDNN wants for them.
class Attributes {
 public:
  Attributes();
  /// dst (of type `output`) = scale * old dst (read as `type`, elements of the same size) + result.
  void append_sum(float scale, DataType type, DataType output);
  /// Activation, then times `scale`; kIdentity with scale 1 adds nothing.
  void append_activation(ir::UnaryKind kind, float alpha, float beta, float scale = 1.0F);
  void append_linear(float scale);
  /// result * operand or result + operand (kMul, kAdd), for a result of rows and columns: one number, or one for each
  /// column.
  void append_columns(ir::BinaryKind kind, const Tensor& operand);
  /// Multiplies the integer accumulators (and `bias`, which it changes to what the primitive must be given) by one
  /// factor each output channel. `channel_axis` is the weights' mask: 1 for grouped convolutions.
  void set_multipliers(const std::vector<float>& multipliers, std::vector<float>& bias, bool grouped_weights);
  /// One factor for the whole result (matrix products).
  void set_multiplier(float multiplier);

  const dnnl::primitive_attr& get();
  const std::vector<std::pair<int, Memory>>& arguments() const { return arguments_; }

 private:
  dnnl::primitive_attr attr_;
  dnnl::post_ops post_ops_;
  std::vector<std::pair<int, Memory>> arguments_;
};

/// Geometry of convolution and pooling; dilations are 1 for a dense window.
struct Window {
  Dims kernel, strides, dilations, pads_begin, pads_end;
};

dnnl::convolution_forward::primitive_desc convolution(const MemoryDesc& src, const MemoryDesc& weights,
                                                      const MemoryDesc* bias, const MemoryDesc& dst,
                                                      const Window& window, Attributes& attributes);
dnnl::deconvolution_forward::primitive_desc deconvolution(const MemoryDesc& src, const MemoryDesc& weights,
                                                          const MemoryDesc* bias, const MemoryDesc& dst,
                                                          const Window& window, Attributes& attributes);
dnnl::inner_product_forward::primitive_desc inner_product(const MemoryDesc& src, const MemoryDesc& weights,
                                                          const MemoryDesc* bias, const MemoryDesc& dst,
                                                          Attributes& attributes);
dnnl::matmul::primitive_desc matmul(const MemoryDesc& a, const MemoryDesc& b, const MemoryDesc* bias,
                                    const MemoryDesc& dst, Attributes& attributes);

enum class Pooling : std::uint8_t { kMax, kAverageWithPadding, kAverageWithoutPadding };
/// The primitive (oneDNN 2.x and 3.x have different classes for it).
struct PoolingPrimitive {
  dnnl::primitive primitive;
  MemoryDesc scratchpad;
  bool generic = false;
};
PoolingPrimitive pooling(Pooling kind, const MemoryDesc& src, const MemoryDesc& dst, const Window& window);

/// Copies `src` to `dst` once, now, with whatever change of layout that takes.
void reorder_now(Memory& src, Memory& dst);

}  // namespace xinfer::cpu::dnnl_api
