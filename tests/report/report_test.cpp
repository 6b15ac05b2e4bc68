#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <regex>

#include "core/file.h"
#include "report/escape.h"
#include "report/numbers.h"
#include "report/page.h"
#include "report/rich_report.h"
#include "support/temp_dir.h"
#include "xinfer/core/errors.h"

namespace xinfer {
namespace {

using builders::BuildReport;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing_support::bare_report;
using testing_support::kHostile;
using testing_support::rich_report;
using testing_support::TempDir;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

std::size_t occurrences(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

/// A page without its script and style sheet, which hold no figures.
std::string content(const std::string& html) {
  const std::size_t style = html.find("<style"), style_end = html.find("</style>");
  const std::size_t script = html.find("<script"), script_end = html.find("</script>");
  if (!(style < style_end && style_end < script && script < script_end && script_end < html.size())) {
    ADD_FAILURE() << "the page should have one style sheet, then one script";
    return html;
  }
  return html.substr(0, style) + html.substr(style_end, script - style_end) + html.substr(script_end);
}

TEST(Escape, MakesMarkupHarmless) {
  EXPECT_EQ(report::escape("<a b=\"c\" d='e'>&amp;"), "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;amp;");
}

TEST(Escape, ReplacesWhatIsNotUtf8) {
  const std::string bad = "\uFFFD";
  EXPECT_EQ(report::clean_utf8("Grüße, 日本 🙂"), "Grüße, 日本 🙂");
  EXPECT_EQ(report::clean_utf8("a\xFF"
                               "b"),
            "a" + bad + "b");
  EXPECT_EQ(report::clean_utf8("\xC0\xAF"), bad + bad) << "overlong";
  EXPECT_EQ(report::clean_utf8("\xE0\x80\xAF"), bad + bad + bad) << "overlong";
  EXPECT_EQ(report::clean_utf8("\xED\xA0\x80"), bad + bad + bad) << "a surrogate";
  EXPECT_EQ(report::clean_utf8("\xF4\x90\x80\x80"), bad + bad + bad + bad) << "beyond Unicode";
  EXPECT_EQ(report::clean_utf8("\xE2\x82"), bad + bad) << "cut off";
  EXPECT_EQ(report::clean_utf8(std::string("a\0b\x1B[31m\tc\n", 11)), "a" + bad + "b" + bad + "[31m\tc\n");
}

TEST(Escape, Base64) {  // the examples of RFC 4648, section 10
  const char* examples[][2] = {{"", ""},
                               {"f", "Zg=="},
                               {"fo", "Zm8="},
                               {"foo", "Zm9v"},
                               {"foob", "Zm9vYg=="},
                               {"fooba", "Zm9vYmE="},
                               {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : examples) EXPECT_EQ(report::base64(bytes), text);
  EXPECT_EQ(report::base64(std::string("\xFF\xFE\x00", 3)), "//4A");
}

TEST(Numbers, AreReadable) {
  EXPECT_EQ(report::fixed(-0.3, 2), "\u22120.30");
  EXPECT_EQ(report::fixed(-0.001, 2), "0.00");
  EXPECT_EQ(report::fixed(kInf, 1), "∞");
  EXPECT_EQ(report::fixed(-kInf, 1), "\u2212∞");
  EXPECT_EQ(report::fixed(kNaN, 1), "not a number");
  EXPECT_EQ(report::signed_fixed(0.12, 2), "+0.12");
  EXPECT_EQ(report::signed_fixed(0.001, 2), "0.00");
  EXPECT_EQ(report::significant(1234.5), "1234");
  EXPECT_EQ(report::significant(0.031415), "0.0314");
  EXPECT_EQ(report::percent(0), "0\u00A0%");
  EXPECT_EQ(report::percent(0.953), "95.3\u00A0%");
  EXPECT_EQ(report::percent(1e-7), "&lt;\u00A00.001\u00A0%");
  EXPECT_EQ(report::fixed_or_dash({}, 1), report::kMissing);
  EXPECT_EQ(report::sort_key({}), "");
  EXPECT_EQ(report::sort_key(kNaN), "");
  EXPECT_THAT(report::sort_key(kInf), HasSubstr("1.797"));
}

TEST(Page, HoldsNoMarkupFromNames) {
  const std::string html = report::to_html(rich_report());
  EXPECT_EQ(occurrences(html, "<img src=x"), 0U);
  EXPECT_EQ(occurrences(html, "</script>"), 1U);
  EXPECT_EQ(occurrences(html, "<script"), 1U);
  // A layer, a tensor, a finding, an image that stretches ranges, a preprocessing, a worst image, an answer.
  EXPECT_EQ(occurrences(html, report::escape(kHostile)), 8U) << "hostile names should show as text";
  EXPECT_EQ(report::clean_utf8(html), html);
  for (const char* outside : {"http:", "https:", "url(", "@import", "src=\"/"})
    EXPECT_THAT(html, Not(HasSubstr(outside)));
}

TEST(Page, HostileTextInEveryField) {
  BuildReport report = rich_report();
  for (std::string* text : {&report.model, &report.model_hash, &report.range_method, &report.target, &report.engine,
                            &report.quality.metric, &report.quality.environment.xinfer, &report.quality.environment.cpu,
                            &report.quality.environment.gpu, &report.quality.environment.os,
                            &report.quality.environment.date, &report.quality.environment.calibration_hash}) {
    *text = kHostile;
  }
  report.remarks = {kHostile};
  report.nodes = {{kHostile, kHostile, kHostile, kHostile}};
  auto& quality = report.quality;
  quality.findings = {{kHostile, kHostile, kHostile, kHostile}};
  quality.layers = {{kHostile, kHostile, kHostile, {}, {}, {}, {}, {}}};
  quality.tensors[0].tensor = quality.tensors[0].type = quality.tensors[0].method = kHostile;
  quality.data.stretching = quality.data.duplicates = quality.data.constant = {{kHostile, kHostile}};
  quality.data.preprocessing = {{kHostile, 0.5}};
  quality.pareto[0].float_nodes = {kHostile};
  quality.worst = {{kHostile, kHostile, kHostile, 3, kHostile}};
  for (const char* precision : {"int8", kHostile}) {
    report.precision = precision;
    const std::string html = report::to_html(report);
    EXPECT_THAT(html, Not(HasSubstr("<img src=x")));
    EXPECT_EQ(occurrences(html, "</script>"), 1U);
    EXPECT_EQ(report::clean_utf8(html), html);
    EXPECT_TRUE(nlohmann::json::accept(report.to_json()));
  }
}

TEST(Page, SameReportSameBytes) { EXPECT_EQ(report::to_html(rich_report()), report::to_html(rich_report())); }

TEST(Page, Outputs) {
  const std::string page = report::to_html(rich_report());
  EXPECT_THAT(page, HasSubstr("SQNR 31.2 dB, cosine with FP32 0.9991 on average and 0.9876 at least, KL divergence"));
  EXPECT_THAT(page, HasSubstr("SQNR 28.0 dB, cosine with FP32 0.9980 on average and 0.9700 at least.</p>"));
  const auto json = nlohmann::json::parse(rich_report().to_json());
  EXPECT_EQ(json.at("outputs").at(0).at("kl_divergence"), 0.0042);
  EXPECT_TRUE(json.at("outputs").at(1).at("kl_divergence").is_null());
}

TEST(Page, EmptyReport) {
  for (const char* precision : {"int8", "fp32", ""}) {
    BuildReport report;
    report.precision = precision;
    const std::string html = report::to_html(report);
    EXPECT_THAT(html, AllOf(HasSubstr("No problems found."), HasSubstr("not measured"), HasSubstr("</html>")));
    for (const char* id : {"plans", "layers", "float", "tensors", "samples"}) {
      EXPECT_THAT(html, Not(HasSubstr("id=\"" + std::string(id) + "\""))) << "an empty section";
    }
  }
  EXPECT_THAT(report::to_html(bare_report()), HasSubstr("Accuracy not measured"));
}

TEST(Page, FiguresThatAreNotFinite) {
  for (const double odd : {kNaN, kInf, -kInf, 1e308, -1e308, 5e-324, 0.0}) {
    BuildReport report = rich_report();
    report.accuracy = {0, odd, odd};
    report.speed = {{1, odd, odd}};
    report.calibrate_seconds = odd;
    auto& quality = report.quality;
    quality.float_score = quality.int8_score = quality.budget = odd;
    quality.layers[0].sqnr_db = quality.layers[0].sensitivity_db = odd;
    quality.layers[0].int8_ms = quality.layers[0].scale = odd;
    auto& tensors = quality.tensors;
    tensors[0].min = odd;
    tensors[1].max = odd;
    tensors[2].min = tensors[2].max = odd;
    tensors[3].threshold = odd;
    tensors[4].histogram = {odd, 0.5, odd};
    tensors[5].sqnr_db = tensors[5].clipped_share = tensors[5].zero_share = tensors[5].scale = odd;
    quality.data.curve[2].worst_change = quality.data.curve[4].median_change = odd;
    quality.data.preprocessing[0].confidence = odd;
    quality.pareto[0].drop = quality.pareto[1].ms = odd;
    quality.worst[0].sqnr_db = odd;
    const std::string text = content(report::to_html(report));
    for (const char* broken : {"nan", "inf\"", "inf ", "-inf"}) {
      const std::size_t at = text.find(broken);
      EXPECT_EQ(at, std::string::npos) << "with " << odd << ": " << text.substr(at < 300 ? 0 : at - 300, 400);
    }
    std::smatch number;
    EXPECT_FALSE(std::regex_search(text, number, std::regex(".{100}[0-9]{40}")))
        << "with " << odd << ": " << number.str();
    EXPECT_TRUE(nlohmann::json::accept(report.to_json()));
    EXPECT_NO_THROW((void)report.to_text());
  }
}

TEST(Page, OddCurvesAndPlans) {
  BuildReport report = bare_report();
  auto& quality = report.quality;
  quality.data.curve = {{0, 1, 1}, {0, 1, 1}};
  quality.pareto = {{0, 0, {}, false}};
  EXPECT_THAT(report::to_html(report), Not(HasSubstr("nan")));
  quality.data.curve = {{8, 0, 0}, {1, 1e9, 1}};
  quality.data.converged_after = 0;
  quality.pareto = {{-0.5, 3, {}, false}, {-0.5, 3, {}, true}};
  EXPECT_THAT(report::to_html(report), AllOf(Not(HasSubstr("nan")), HasSubstr("<svg")));
}

TEST(Page, Verdict) {
  BuildReport report = rich_report();
  EXPECT_THAT(report::to_html(report), AllOf(HasSubstr("verdict good"), HasSubstr("Within the budget")));
  report.quality.budget = 0.1;
  EXPECT_THAT(report::to_html(report), AllOf(HasSubstr("verdict bad"), HasSubstr("Over the budget")));
  report.quality.int8_score = kNaN;
  EXPECT_THAT(report::to_html(report), HasSubstr("Over the budget"));
  report.quality.budget.reset();
  EXPECT_THAT(report::to_html(report), AllOf(HasSubstr("verdict warn"), HasSubstr("2 findings for you to look at")));
  report.quality.findings.resize(2);
  EXPECT_THAT(report::to_html(report), HasSubstr("No problems left"));
  report.quality.findings.clear();
  EXPECT_THAT(report::to_html(report), AllOf(HasSubstr("verdict good"), HasSubstr("No problems found")));
  report.precision = "fp32";
  EXPECT_THAT(report::to_html(report), HasSubstr("FP32 engine"));
}

TEST(Json, HoldsEverything) {
  const BuildReport report = rich_report();
  const auto json = nlohmann::json::parse(report.to_json());
  EXPECT_EQ(json.at("model"), report.model);
  EXPECT_EQ(json.at("nodes").size(), 200U);
  EXPECT_EQ(json.at("accuracy").at("samples"), 128);
  EXPECT_EQ(json.at("findings").at(0).at("cause"), "one channel's range is 480 times the median");
  const auto& layer = json.at("layers").at(0);
  EXPECT_EQ(layer.at("sqnr_db"), *report.quality.layers[0].sqnr_db);
  EXPECT_EQ(layer.at("scale"), *report.quality.layers[0].scale);
  EXPECT_TRUE(json.at("layers").at(3).at("sensitivity_db").is_null()) << "not measured";
  EXPECT_TRUE(json.at("layers").at(31).at("sqnr_db").is_null()) << "not finite";
  EXPECT_THAT(json.at("layers").at(5).at("node"), HasSubstr("</script>"));
  const auto& tensor = json.at("tensors").at(7);
  EXPECT_EQ(tensor.at("histogram").size(), 256U);
  EXPECT_EQ(tensor.at("threshold"), report.quality.tensors[7].threshold);
  EXPECT_EQ(json.at("data").at("converged_after"), 128);
  EXPECT_EQ(json.at("data").at("curve").size(), 10U);
  EXPECT_EQ(json.at("data").at("duplicates").size(), 9U);
  EXPECT_EQ(json.at("data").at("preprocessing").at(0).at("confidence"), 0.912);
  EXPECT_EQ(json.at("metric").at("budget"), 0.5);
  EXPECT_EQ(json.at("pareto").at(3).at("chosen"), true);
  EXPECT_EQ(json.at("worst").at(0).at("thumbnail_png"), report::base64(report.quality.worst[0].thumbnail));
  EXPECT_EQ(json.at("environment").at("threads"), 2);
}

TEST(Json, EmptyListsAreThere) {
  const auto json = nlohmann::json::parse(BuildReport().to_json());
  for (const char* key : {"findings", "layers", "tensors", "pareto", "worst"}) EXPECT_TRUE(json.at(key).is_array());
  EXPECT_TRUE(json.at("metric").at("budget").is_null());
  EXPECT_TRUE(json.at("data").at("converged_after").is_null());
  EXPECT_FALSE(json.contains("calibration"));
}

TEST(Text, SaysTheMostImportant) {
  BuildReport report = rich_report();
  EXPECT_THAT(report.to_text(),
              AllOf(HasSubstr("500 samples in 38.2 s, ranges by auto, settled after 128"),
                    HasSubstr("top-1: FP32 71.88, INT8 71.55, drop 0.33 points, within the budget of 0.50"),
                    HasSubstr("findings      4\n"),
                    HasSubstr("480 times the median; equalization brought SQNR from 6.1 to 31.4 dB (none)"),
                    Not(HasSubstr("more: see --report"))));
  report.quality.findings.resize(13);
  report.quality.budget = 0.2;
  EXPECT_THAT(report.to_text(), AllOf(HasSubstr("and 3 more: see --report"), HasSubstr("over the budget of 0.20")));
  EXPECT_THAT(bare_report().to_text(), AllOf(Not(HasSubstr("findings")), Not(HasSubstr("metric"))));
}

TEST(WriteReport, FormByName) {
  const TempDir folder;
  builders::write_report(rich_report(), folder / "a.html");
  builders::write_report(rich_report(), folder / "b.JSON");
  EXPECT_EQ(read_file(folder / "a.html"), report::to_html(rich_report()));
  EXPECT_EQ(nlohmann::json::parse(read_file(folder / "b.JSON")).at("precision"), "int8");
}

TEST(WriteReport, FailsWithoutLeavingFiles) {
  const TempDir folder;
  for (const std::string& path :
       {folder / "report.txt", folder / "report", folder / "html", folder / "no/report.html"}) {
    EXPECT_THROW(builders::write_report(bare_report(), path), Error) << path;
    EXPECT_THROW(builders::check_report_path(path), Error) << path;
  }
  EXPECT_EQ(folder.entries(), 0U);
  EXPECT_NO_THROW(builders::check_report_path(folder / "report.html"));
  EXPECT_EQ(folder.entries(), 0U) << "checking should write nothing";
}

}  // namespace
}  // namespace xinfer
