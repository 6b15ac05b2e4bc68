#include "xinfer/builders/build_options.h"

namespace xinfer::builders {

std::string_view name_of(RangeMethod method) {
  switch (method) {
    case RangeMethod::kAuto:
      return "auto";
    case RangeMethod::kMinMax:
      return "minmax";
    case RangeMethod::kPercentile:
      return "percentile";
    case RangeMethod::kEntropy:
      return "entropy";
    case RangeMethod::kMse:
      return "mse";
  }
  return "?";
}

std::string_view name_of(Repair repair) {
  switch (repair) {
    case Repair::kEqualization:
      return "equalization";
    case Repair::kMigration:
      return "migration";
    case Repair::kWeightRounding:
      return "rounding";
    case Repair::kBiasCorrection:
      return "bias";
  }
  return "?";
}

std::string_view name_of(BuildStage stage) {
  switch (stage) {
    case BuildStage::kRead:
      return "read";
    case BuildStage::kSurvey:
      return "survey";
    case BuildStage::kBalance:
      return "balance";
    case BuildStage::kCalibrate:
      return "calibrate";
    case BuildStage::kQuantize:
      return "quantize";
    case BuildStage::kMeasure:
      return "measure";
    case BuildStage::kSearch:
      return "search";
    case BuildStage::kPrepareGpu:
      return "gpu kernels";
    case BuildStage::kCheck:
      return "check";
    case BuildStage::kSave:
      return "save";
  }
  return "?";
}

}  // namespace xinfer::builders
