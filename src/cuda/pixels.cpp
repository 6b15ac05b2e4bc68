#include "cuda/pixels.h"

#include <cmath>

#include "cuda/launch_shape.h"

namespace xinfer::cuda {
namespace {

/// PixelsArgs of kernels/pixels.cu, member for member.
struct PixelsArgs {
  gpu::DevicePointer x = 0, y = 0;
  std::uint32_t pixels = 0;
  float step = 1;
};

class PixelsStep final : public Step {
 public:
  void launch(const Frame& frame, std::vector<gpu::Launch>& launches) const override {
    gpu::Launch launch = launch_of(div_up(args.pixels, at_once), 256, images);
    PixelsArgs a = args;
    a.x = frame.inputs[0];
    a.y = frame.outputs[0];
    launch.args.add(a);
    launches.push_back(std::move(launch));
  }

  PixelsArgs args;
  std::int64_t images = 1, at_once = 1;
};

}  // namespace

std::unique_ptr<Step> create_pixels(const Dims& dims, const Format& from, const Format& to, float scale) {
  const auto is_real = [](Element e) { return e == Element::kF32 || e == Element::kF16; };
  const bool bytes = to.element == Element::kS8 || to.element == Element::kU8;
  if (from != Format::rows(from.element) || to != Format::pixels(to.element) || !is_real(from.element) ||
      !(bytes || is_real(to.element)) || dims.size() < 3 || dims[1] > kPixelChannels) {
    return nullptr;
  }
  std::int64_t pixels = 1;
  for (std::size_t i = 2; i < dims.size(); ++i) pixels *= dims[i];
  if (pixels * kPixelChannels >= kThreadLimit || dims[0] > kGridLimit || dims[0] * dims[1] * pixels == 0)
    return nullptr;
  auto step = std::make_unique<PixelsStep>();
  step->args.pixels = static_cast<std::uint32_t>(pixels);
  step->images = dims[0];
  const std::int64_t wide = 16 / (kPixelChannels * static_cast<std::int64_t>(size_of(to.element)));
  step->at_once = pixels % wide == 0 ? wide : 1;
  // A reciprocal that is exact spares the division.
  int exponent = 0;
  const bool exact = std::frexp(scale, &exponent) == 0.5F && std::isnormal(1 / scale);
  step->args.step = exact ? 1 / scale : scale;
  gpu::KernelSource source{"pixels.cu", "image_to_pixels", {}, ""};
  source.define("XI_T", device_name_of(from.element)).define("XI_OUT_T", device_name_of(to.element));
  source.define("XI_CHANNELS", dims[1]).define("XI_V", step->at_once);
  source.define("XI_STEP", !bytes ? 0 : exact ? 1 : 2);
  step->kernels.push_back(std::move(source));
  step->inputs = {from};
  step->outputs = {to};
  step->implementation = "pixels";
  step->compute = to.element;
  return step;
}

}  // namespace xinfer::cuda
