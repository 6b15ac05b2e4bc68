#pragma once
// Batches of calibration data: how many images they hold, and cutting images out of them.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ir/graph.h"

namespace xinfer::quantize {

/// The next batch (one tensor for each graph input), or nothing at the end.
using BatchSource = std::function<std::optional<std::vector<Tensor>>()>;

/// Images in a batch: one tensor for each graph input, their first axis being the images. Inputs whose declared shape
/// doesn't depend on N belong to every image; if none depends on N, a batch counts as one image. Throws
/// CalibrationError when a tensor doesn't fit its input.
std::int64_t count_images(const ir::Graph& graph, std::span<const Tensor> batch);

/// Images [begin, end) of a batch that count_images() took; memory is shared.
std::vector<Tensor> cut_images(const ir::Graph& graph, std::span<const Tensor> batch, std::int64_t begin,
                               std::int64_t end);

/// Tells images apart by what they hold: 32 hex digits, as Hasher makes them, of all tensors of one image.
std::string content_hash(std::span<const Tensor> image);

}  // namespace xinfer::quantize
