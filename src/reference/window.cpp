#include "reference/window.h"

#include <fmt/format.h>

namespace xinfer::reference {

Window make_window(const Sizes& in, const Sizes& out, const Sizes& kernel, const Sizes& strides, const Sizes& dilations,
                   const Sizes& pads) {
  const std::size_t rank = in.size();
  if (rank < 1 || rank > 3) throw UnsupportedError(fmt::format("a window over {} spatial axes", rank));
  Window window;
  for (std::size_t i = 0; i < rank; ++i) {
    WindowAxis& axis = window.axes[3 - rank + i];
    axis.in = in[i];
    axis.out = out[i];
    axis.kernel = kernel.at(i);
    if (!strides.empty()) axis.stride = strides.at(i);
    if (!dilations.empty()) axis.dilation = dilations.at(i);
    if (!pads.empty()) axis.pad_begin = pads.at(i);
    if (!pads.empty()) axis.pad_end = pads.at(rank + i);
  }
  return window;
}

}  // namespace xinfer::reference
