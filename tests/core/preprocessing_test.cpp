#include "xinfer/core/preprocessing.h"

#include <gtest/gtest.h>

namespace {

using xinfer::Preprocessing;
using xinfer::PreprocessStep;
using Kind = PreprocessStep::Kind;

TEST(Preprocessing, ReadsAsOneLine) {
  const Preprocessing preprocessing{{{Kind::kResize, {256}, {}, ""},
                                     {Kind::kResize, {224, 200}, {}, ""},
                                     {Kind::kCenterCrop, {224, 224}, {}, ""},
                                     {Kind::kPad, {1, 2, 3, 4}, {0.5F}, ""},
                                     {Kind::kLetterbox, {640, 640}, {0.25F}, ""},
                                     {Kind::kToGray, {3}, {}, ""},
                                     {Kind::kToBgr, {}, {}, ""},
                                     {Kind::kScale, {}, {255}, ""},
                                     {Kind::kNormalize, {}, {0.485F, 0.456F, 0.229F, 0.224F}, ""},
                                     {Kind::kCustom, {}, {}, "Blur"}}};
  EXPECT_EQ(
      to_string(preprocessing),
      "resize shorter side 256, resize 224x200, center crop 224x224, pad 1,2,3,4 fill 0.5, letterbox 640x640 fill "
      "0.25, gray as 3 channels, bgr, scale 255, normalize mean 0.485,0.456 std 0.229,0.224, custom Blur");
  EXPECT_FALSE(preprocessing.replayable());
}

TEST(Preprocessing, EmptyIsNoneAndReplayable) {
  EXPECT_EQ(to_string(Preprocessing{}), "none");
  EXPECT_TRUE(Preprocessing{}.replayable());
}

TEST(Preprocessing, DamagedStepsPrint) {
  EXPECT_EQ(to_string(Preprocessing{{{Kind::kNormalize, {}, {1}, ""}, {Kind::kPad, {}, {}, ""}}}),
            "normalize mean  std 1, pad ");
}

}  // namespace
