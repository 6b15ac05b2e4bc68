#include "quantize/batches.h"

#include <fmt/format.h>

#include "core/hash.h"
#include "xinfer/core/errors.h"

namespace xinfer::quantize {
namespace {

// Images in a tensor for an input whose first axis is k * N; 0 when the input doesn't depend on N.
std::int64_t images_in(const ir::Value& input, const Tensor& tensor) {
  if (input.shape.is_static()) return 0;
  const ir::Dim first = input.shape[0];
  const auto mismatch = [&] {
    return CalibrationError(
        fmt::format("calibration batch: a tensor of type {} and shape {} was given for input '{}', "
                    "which is {}{}",
                    name_of(tensor.dtype()), xinfer::to_string(tensor.shape()), input.name, name_of(input.dtype),
                    to_string(input.shape)));
  };
  if (!first.batch || first.value < 1) {
    throw CalibrationError(fmt::format("input '{}' {} can't be cut into images: its first axis is not the batch",
                                       input.name, to_string(input.shape)));
  }
  if (tensor.empty() || tensor.rank() != input.shape.rank() || tensor.dim(0) % first.value != 0) throw mismatch();
  const std::int64_t images = tensor.dim(0) / first.value;
  if (tensor.dtype() != input.dtype || tensor.shape() != input.shape.at(images)) throw mismatch();
  return images;
}

}  // namespace

std::int64_t count_images(const ir::Graph& graph, std::span<const Tensor> batch) {
  if (batch.size() != graph.inputs().size()) {
    throw CalibrationError(
        fmt::format("calibration batch: {} tensors were given for {} inputs", batch.size(), graph.inputs().size()));
  }
  std::int64_t images = 0;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const ir::Value& input = graph.value(graph.inputs()[i]);
    const std::int64_t here = images_in(input, batch[i]);
    if (input.shape.is_static()) continue;
    if (images != 0 && here != images) {
      throw CalibrationError(fmt::format("calibration batch: {} images for input '{}', but {} for another input", here,
                                         input.name, images));
    }
    images = here;
    if (images == 0) throw CalibrationError(fmt::format("calibration batch: no images for input '{}'", input.name));
  }
  return images == 0 ? 1 : images;
}

std::vector<Tensor> cut_images(const ir::Graph& graph, std::span<const Tensor> batch, std::int64_t begin,
                               std::int64_t end) {
  std::vector<Tensor> images(batch.begin(), batch.end());
  for (std::size_t k = 0; k < batch.size(); ++k) {
    const ir::Shape& shape = graph.value(graph.inputs()[k]).shape;
    if (!shape.is_static()) images[k] = batch[k].rows(begin * shape[0].value, end * shape[0].value);
  }
  return images;
}

std::string content_hash(std::span<const Tensor> image) {
  Hasher hasher;
  for (const Tensor& tensor : image) hasher.update(tensor.raw(), tensor.bytes());
  return hasher.hex();
}

}  // namespace xinfer::quantize
