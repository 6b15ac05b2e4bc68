#include "quantize/overrides_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/file.h"
#include "support/temp_dir.h"
#include "xinfer/core/errors.h"

namespace xinfer::quantize {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;
using Match = PrecisionOverride::Match;

TEST(OverridesFile, ReadsEachKindInOrder) {
  const testing_support::TempDir dir;
  const std::string path = dir / "precision.json";
  write_file_atomically(path, R"([{"operator": "Linear", "precision": "float"},
                                  {"pattern": "head.*", "precision": "int8"},
                                  {"node": "features.3", "precision": "fp16", "why": "measured"}])");
  const auto overrides = load_overrides(path);
  ASSERT_EQ(overrides.size(), 3U);
  EXPECT_EQ(overrides[0].match, Match::kOpType);
  EXPECT_EQ(overrides[0].op, ir::OpType::kLinear);
  EXPECT_EQ(overrides[0].precision, Precision::kFloat);
  EXPECT_EQ(overrides[1].match, Match::kGlob);
  EXPECT_EQ(overrides[1].pattern, "head.*");
  EXPECT_EQ(overrides[1].precision, Precision::kInt8);
  EXPECT_EQ(overrides[2].match, Match::kNode);
  EXPECT_EQ(overrides[2].precision, Precision::kFloat);
  EXPECT_EQ(overrides[2].why, "measured");
  EXPECT_TRUE(parse_overrides("[]", "x").empty());
}

TEST(OverridesFile, SaysWhatIsWrongWhere) {
  const auto rejects = [](const char* text, const char* what) {
    EXPECT_THAT([&] { parse_overrides(text, "p.json"); },
                ThrowsMessage<Error>(AllOf(HasSubstr("p.json"), HasSubstr(what))))
        << text;
  };
  rejects("", "no JSON");
  rejects("[{]", "no JSON");
  rejects("{}", "list");
  rejects("[3]", "override 1 is no object");
  rejects(R"([{"precision": "int8"}])", "exactly one");
  rejects(R"([{"node": "a", "pattern": "b", "precision": "int8"}])", "exactly one");
  rejects(R"([{"node": "a", "precision": "int8"}, {"node": "b"}])", "override 2 has no \"precision\"");
  rejects(R"([{"node": "a", "precision": "int4"}])", "int4");
  rejects(R"([{"node": 7, "precision": "int8"}])", "no text");
  rejects(R"([{"operator": "Convolve", "precision": "int8"}])", "Convolve");
  rejects(R"([{"node": "a", "precision": "int8", "layer": "b"}])", "unknown key 'layer'");
  EXPECT_THROW(load_overrides("/nonexistent/p.json"), Error);
}

}  // namespace
}  // namespace xinfer::quantize
