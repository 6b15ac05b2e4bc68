#include "reference/requantize.h"

#include <algorithm>

#include "reference/scalar.h"

namespace xinfer::reference {

bool commutes_with_scale(ir::UnaryKind activation) {
  return activation == ir::UnaryKind::kIdentity || activation == ir::UnaryKind::kRelu ||
         activation == ir::UnaryKind::kClip || activation == ir::UnaryKind::kLeakyRelu;
}

FoldedScales fold(const LayerScales& scales, const ir::Epilogue& epilogue) {
  FoldedScales folded;
  folded.activation = epilogue;
  const bool folds = commutes_with_scale(epilogue.activation);
  const double divisor = folds ? scales.output : 1.0;
  folded.output_scale = folds ? 1.0F : static_cast<float>(scales.output);
  if (scales.weights.empty()) folded.multiplier.push_back(static_cast<float>(scales.input / divisor));
  for (const float weight : scales.weights) {
    folded.multiplier.push_back(static_cast<float>(scales.input * weight / divisor));
  }
  for (const float bias : scales.bias) folded.bias.push_back(static_cast<float>(bias / divisor));
  folded.residual_scale = static_cast<float>(scales.residual / divisor);
  if (epilogue.activation == ir::UnaryKind::kClip) {
    folded.activation.alpha = static_cast<float>(epilogue.alpha / divisor);
    folded.activation.beta = static_cast<float>(epilogue.beta / divisor);
  }
  return folded;
}

float activate_f32(const ir::Epilogue& epilogue, float y) {
  switch (epilogue.activation) {
    case ir::UnaryKind::kIdentity:
      return y;
    case ir::UnaryKind::kRelu:
      return y < 0 ? 0.0F : y;
    case ir::UnaryKind::kClip:
      return std::min(std::max(y, epilogue.alpha), epilogue.beta);
    case ir::UnaryKind::kLeakyRelu:
      return y < 0 ? epilogue.alpha * y : y;
    case ir::UnaryKind::kHardSwish:
      return y * std::min(std::max(y + 3.0F, 0.0F), 6.0F) * (1.0F / 6.0F);
    case ir::UnaryKind::kHardSigmoid:
      return std::min(std::max(std::fma(epilogue.alpha, y, epilogue.beta), 0.0F), 1.0F);
    default:
      return static_cast<float>(unary_value(epilogue.activation, y, epilogue.alpha, epilogue.beta));
  }
}

}  // namespace xinfer::reference
