#include "gpu/arch.h"

#include <gtest/gtest.h>

#include "xinfer/core/errors.h"

namespace xinfer::gpu {
namespace {

TEST(Arch, IsReadAndWritten) {
  EXPECT_EQ(parse_arch("75"), (Arch{75, false}));
  EXPECT_EQ(parse_arch("sm_90a"), (Arch{90, true}));
  EXPECT_EQ(parse_arch("120"), (Arch{120, false}));
  for (const char* text : {"75", "80", "86", "89", "90", "90a", "100a", "120"}) {
    EXPECT_EQ(to_string(parse_arch(text)), text);
  }
}

TEST(Arch, RefusesWhatIsNone) {
  for (const char* text : {"", "a", "sm_", "-90", "9.0", "90b", "90aa", "90 ", "hopper", "70", "61", "75a", "9000"}) {
    EXPECT_THROW(parse_arch(text), Error) << text;
  }
}

TEST(Arch, BestUsesWhatOneGenerationAloneHas) {
  EXPECT_EQ(to_string(best_arch(7, 5)), "75");
  EXPECT_EQ(to_string(best_arch(8, 9)), "89");
  EXPECT_EQ(to_string(best_arch(9, 0)), "90a");
  EXPECT_EQ(to_string(best_arch(10, 0)), "100a");
  EXPECT_EQ(to_string(best_arch(12, 0)), "120");
  EXPECT_TRUE(best_arch(9, 0).has_wgmma());
  EXPECT_FALSE(parse_arch("90").has_wgmma());
  EXPECT_FALSE(best_arch(10, 0).has_wgmma());
}

}  // namespace
}  // namespace xinfer::gpu
