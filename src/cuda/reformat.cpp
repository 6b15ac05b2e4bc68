// The step between two formats of one value. Always a copy, between equal formats too: whoever needs none doesn't ask.

#include <fmt/format.h>

#include "cuda/implementations.h"
#include "cuda/map_step.h"
#include "cuda/pixels.h"
#include "xinfer/core/errors.h"

namespace xinfer::cuda {

std::unique_ptr<Step> create_reformat(const Dims& dims, const Format& from, const Format& to) {
  if (auto pixels = create_pixels(dims, from, to)) return pixels;
  auto step = std::make_unique<MapStep>();
  step->implementation = "reformat";
  step->compute = to.element;
  step->inputs = {from};
  step->outputs = {to};
  if (!step->add_copy(loop_dims(dims), view_of(dims, from), from.element, 0, view_of(dims, to), to.element, 0)) {
    throw UnsupportedError(
        fmt::format("a tensor of {} elements is too large to be reformatted", strides_of(dims, to).elements),
        "use a smaller batch");
  }
  return step;
}

}  // namespace xinfer::cuda
