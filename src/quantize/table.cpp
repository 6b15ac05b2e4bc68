#include "quantize/table.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <vector>

#include "core/file.h"
#include "xinfer/core/errors.h"

namespace xinfer::quantize {
namespace {

constexpr std::string_view kMagic = "xinfer-calibration";
constexpr int kVersion = 1;  // also when a chooser changes: tables hold what choosers chose

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    switch (c) {
      case '"':
      case '\\':
        result += '\\';
        result += c;
        break;
      case '\n':
        result += "\\n";
        break;
      case '\r':
        result += "\\r";
        break;
      case '\t':
        result += "\\t";
        break;
      default:
        if (byte < 0x20 || byte == 0x7f) {
          result += fmt::format("\\x{:02x}", byte);
        } else {
          result += c;
        }
    }
  }
  return result + '"';
}

// Reads lines of fields and keeps the line number for messages.
class Reader {
 public:
  Reader(std::string_view text, const std::string& source) : text_(text), source_(source) {}

  [[noreturn]] void fail(const std::string& what) const {
    throw CalibrationError(fmt::format("calibration table '{}', line {}: {}", source_, line_, what),
                           "delete the file and calibrate again");
  }

  /// Starts the next line, which must begin with the word `name`.
  void line(std::string_view name) {
    if (line_ > 0) expect_line_end();
    ++line_;
    if (text_.empty()) fail(fmt::format("the file ends where '{}' is wanted", name));
    const std::size_t end = text_.find('\n');
    if (end == std::string_view::npos) fail("the file ends within a line");
    rest_ = text_.substr(0, end);
    text_.remove_prefix(end + 1);
    if (word() != name) fail(fmt::format("'{}' is wanted", name));
  }

  void end_of_file() {
    expect_line_end();
    ++line_;
    if (!text_.empty()) fail("there is text after the end");
  }

  std::string_view word() {
    const std::size_t end = std::min(rest_.find(' '), rest_.size());
    const std::string_view result = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    return result;
  }

  template <class T>
  T number(const char* what) {
    const std::string_view text = word();
    T result{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), result);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) {
      fail(fmt::format("'{}' is no {}", text.substr(0, 40), what));
    }
    if constexpr (std::is_floating_point_v<T>) {
      if (!std::isfinite(result)) fail(fmt::format("the {} is not finite", what));
    }
    return result;
  }

  std::string string(const char* what) {
    if (rest_.empty() || rest_.front() != '"') fail(fmt::format("the {} must stand in quotes", what));
    std::string result;
    for (std::size_t i = 1; i < rest_.size(); ++i) {
      if (rest_[i] == '"') {
        rest_.remove_prefix(i + 1);
        if (!rest_.empty() && rest_.front() != ' ') fail(fmt::format("a space is wanted after the {}", what));
        rest_.remove_prefix(rest_.empty() ? 0 : 1);
        return result;
      }
      result += rest_[i] == '\\' ? escaped(i) : rest_[i];
    }
    fail(fmt::format("the quotes of the {} are not closed", what));
  }

 private:
  void expect_line_end() const {
    if (!rest_.empty()) fail("there is more text than the line should have");
  }

  char escaped(std::size_t& i) const {
    ++i;
    const char kind = i < rest_.size() ? rest_[i] : '\0';
    switch (kind) {
      case '"':
      case '\\':
        return kind;
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 't':
        return '\t';
      case 'x': {
        unsigned value = 0;
        const std::string_view digits = rest_.substr(std::min(i + 1, rest_.size()), 2);
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
        if (digits.size() != 2 || error != std::errc{} || end != digits.data() + 2) fail("\\x wants two hex digits");
        i += 2;
        return static_cast<char>(value);
      }
      default:
        fail("there is an unknown escape in a string");
    }
  }

  std::string_view text_;  // after the current line
  std::string_view rest_;  // of the current line
  const std::string& source_;
  int line_ = 0;
};

void read_thresholds(Reader& reader, std::array<float, TensorRanges::kMethods>& to, float largest) {
  for (float& threshold : to) {
    threshold = reader.number<float>("threshold");
    if (threshold < 0 || threshold > largest) {
      reader.fail(fmt::format("the threshold {} is outside [0, {}]", threshold, largest));
    }
  }
}

void read_tensor(Reader& reader, CalibrationTable& table) {
  reader.line("tensor");
  const std::string name = reader.string("tensor's name");
  TensorRanges ranges;
  ranges.count = reader.number<std::uint64_t>("count");
  ranges.zeros = reader.number<std::uint64_t>("count of zeros");
  ranges.min = reader.number<float>("minimum");
  ranges.max = reader.number<float>("maximum");
  if (ranges.min > ranges.max) reader.fail("the minimum is above the maximum");
  if (ranges.zeros > ranges.count) reader.fail("there are more zeros than values");
  const float largest = std::max(std::fabs(ranges.min), std::fabs(ranges.max));
  read_thresholds(reader, ranges.signed_thresholds, largest);
  read_thresholds(reader, ranges.unsigned_thresholds, ranges.non_negative() ? largest : 0.0F);
  if (!table.tensors.emplace(name, ranges).second) reader.fail(fmt::format("the tensor '{}' is there twice", name));
}

}  // namespace

Ranges CalibrationTable::pick(RangeMethod method) const {
  Ranges result;
  for (const auto& [name, ranges] : tensors) result.emplace(name, ranges.pick(method));
  return result;
}

std::string to_text(const CalibrationTable& table) {
  std::string text = fmt::format("{} {}\n", kMagic, kVersion);
  text += fmt::format("model {}\n", quoted(table.key.model));
  text += fmt::format("preprocessing {}\n", quoted(table.key.preprocessing));
  text += fmt::format("images {}\n", quoted(table.key.images));
  text += fmt::format("image-count {}\n", table.images);
  text += fmt::format("percentile {}\n", table.percentile);
  text += fmt::format("tensors {}\n", table.tensors.size());
  for (const auto& [name, r] : table.tensors) {
    text += fmt::format("tensor {} {} {} {} {} {} {}\n", quoted(name), r.count, r.zeros, r.min, r.max,
                        fmt::join(r.signed_thresholds, " "), fmt::join(r.unsigned_thresholds, " "));
  }
  return text + "end\n";
}

CalibrationTable parse_table(std::string_view text, const std::string& source) {
  Reader reader(text, source);
  CalibrationTable table;
  reader.line(kMagic);
  const int version = reader.number<int>("version");
  if (version != kVersion) reader.fail(fmt::format("its version is {}, but this program reads {}", version, kVersion));
  reader.line("model");
  table.key.model = reader.string("model's hash");
  reader.line("preprocessing");
  table.key.preprocessing = reader.string("preprocessing");
  reader.line("images");
  table.key.images = reader.string("images' hash");
  reader.line("image-count");
  table.images = reader.number<std::int64_t>("count of images");
  if (table.images < 1) reader.fail("the count of images is not positive");
  reader.line("percentile");
  table.percentile = reader.number<double>("percentile");
  if (!(table.percentile > 0 && table.percentile <= 100)) reader.fail("the percentile is outside (0, 100]");
  reader.line("tensors");
  const auto count = reader.number<std::uint64_t>("count of tensors");
  for (std::uint64_t i = 0; i < count; ++i) read_tensor(reader, table);
  reader.line("end");
  reader.end_of_file();
  return table;
}

void save_table(const std::string& path, const CalibrationTable& table) { write_file_atomically(path, to_text(table)); }

CalibrationTable load_table(const std::string& path) { return parse_table(read_file(path), path); }

CalibrationTable load_table(const std::string& path, const TableKey& expected) {
  CalibrationTable table = load_table(path);
  std::string differences;
  const auto compare = [&](const char* what, const std::string& found, const std::string& wanted) {
    if (found != wanted) {
      differences += fmt::format("\n  {}: the table has {}, but {} is wanted", what, quoted(found), quoted(wanted));
    }
  };
  compare("model", table.key.model, expected.model);
  compare("preprocessing", table.key.preprocessing, expected.preprocessing);
  compare("images", table.key.images, expected.images);
  if (!differences.empty()) {
    throw CalibrationError(fmt::format("calibration table '{}' was made from something else:{}", path, differences),
                           "delete the file and calibrate again, or name another one");
  }
  return table;
}

}  // namespace xinfer::quantize
