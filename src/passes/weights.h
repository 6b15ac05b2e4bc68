#pragma once
// Changes to the weights and biases of convolutions and linear layers. Constants that others share are left as they
// are.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "passes/match.h"

namespace xinfer::passes {

/// True for Conv, ConvTranspose and Linear with constant f32 weights, and a constant f32 bias or none.
bool has_constant_weights(const Graph& graph, const Node& node);
/// Axis of the output that counts output channels: 1, for Linear the last.
std::size_t channel_axis(const Graph& graph, const Node& node);
/// Number of output channels.
std::int64_t output_channels(const Graph& graph, const Node& node);
/// The f32 constant as one number for each of `channels` indices along `axis` of a tensor of `rank` axes against which
/// it broadcasts; nothing when it is no constant or differs along another axis.
std::optional<std::vector<double>> per_channel_constant(const Graph& graph, ValueId value, std::size_t rank,
                                                        std::size_t axis, std::int64_t channels);
/// Puts a tensor in place of a constant input: in the same value when the node is its only reader, else in a new one.
void set_constant_input(Graph& graph, NodeId node, std::size_t index, Tensor tensor, const std::string& name);
/// y = scale[o] * y + shift[o] for each output channel o, within weights and bias, computed in double and rounded once.
/// Needs has_constant_weights().
void scale_and_shift_output(Graph& graph, NodeId node, std::span<const double> scale, std::span<const double> shift);
/// x = scale[c] * x + shift[c] for each input channel c, within weights and bias of a Conv or Linear. A conv must not
/// pad, since its padding is 0 after the shift. Needs has_constant_weights().
void scale_and_shift_input(Graph& graph, NodeId node, std::span<const double> scale, std::span<const double> shift);

}  // namespace xinfer::passes
