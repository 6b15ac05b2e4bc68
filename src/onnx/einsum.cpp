// Einsum of one or two operands, as Transpose, Reshape, MatMul and Reduce.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "onnx/converters.h"
#include "xinfer/core/errors.h"

namespace xinfer::onnx {
namespace {

using ir::OpType;
using ir::ValueId;

/// An operand whose axes are named by letters.
struct Term {
  ValueId value = ir::kNone;
  std::string letters;
};

struct Equation {
  std::vector<std::string> operands;
  std::string result;
};

Equation parse(const std::string& text) {
  std::string compact;
  for (const char ch : text) {
    if (ch == '.') throw UnsupportedError(fmt::format("the equation '{}' has an ellipsis", text));
    if (ch != ' ') compact += ch;
  }
  Equation equation;
  const std::size_t arrow = compact.find("->");
  const std::string left = compact.substr(0, arrow);
  equation.operands.emplace_back();
  std::map<char, int> uses;
  for (const char ch : left) {
    if (ch == ',') {
      equation.operands.emplace_back();
    } else if ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')) {
      if (equation.operands.back().find(ch) != std::string::npos) {
        throw UnsupportedError(fmt::format("the equation '{}' names an axis twice in one operand", text));
      }
      equation.operands.back() += ch;
      ++uses[ch];
    } else {
      throw ModelError(fmt::format("the equation '{}' can't be read", text));
    }
  }
  if (arrow == std::string::npos) {  // without an arrow: the letters that occur once, sorted
    for (const auto& [letter, count] : uses) {
      if (count == 1) equation.result += letter;
    }
    return equation;
  }
  equation.result = compact.substr(arrow + 2);
  for (std::size_t i = 0; i < equation.result.size(); ++i) {
    if (uses.find(equation.result[i]) == uses.end() || equation.result.find(equation.result[i]) != i) {
      throw ModelError(fmt::format("the equation '{}' can't be read", text));
    }
  }
  return equation;
}

bool contains(const std::string& letters, char letter) { return letters.find(letter) != std::string::npos; }

/// Sums over the axes that neither `other` nor `result` names.
Term sum_private(NodeContext& c, Term term, const std::string& other, const std::string& result) {
  std::vector<std::int64_t> axes;
  std::string left;
  for (std::size_t i = 0; i < term.letters.size(); ++i) {
    const bool named = contains(other, term.letters[i]) || contains(result, term.letters[i]);
    if (named) left += term.letters[i];
    if (!named) axes.push_back(static_cast<std::int64_t>(i));
  }
  if (!axes.empty()) term.value = c.reduce(ir::ReduceKind::kSum, term.value, axes, false);
  term.letters = left;
  return term;
}

Term reorder(NodeContext& c, const Term& term, const std::string& letters) {
  std::vector<std::int64_t> perm;
  for (const char letter : letters) perm.push_back(static_cast<std::int64_t>(term.letters.find(letter)));
  return {c.transpose(term.value, perm), letters};
}

std::string select(const std::string& letters, auto&& wanted) {
  std::string chosen;
  std::copy_if(letters.begin(), letters.end(), std::back_inserter(chosen), wanted);
  return chosen;
}

ir::Dim product(const std::map<char, ir::Dim>& sizes, const std::string& letters) {
  ir::Dim total = 1;
  for (const char letter : letters) total = ir::multiply(total, sizes.at(letter));
  return total;
}

Term contract(NodeContext& c, const Term& a, const Term& b, const std::string& result) {
  std::map<char, ir::Dim> sizes;
  for (const Term* term : {&a, &b}) {
    for (std::size_t i = 0; i < term->letters.size(); ++i) {
      const auto [place, is_new] = sizes.emplace(term->letters[i], c.shape(term->value)[i]);
      if (!is_new && place->second != c.shape(term->value)[i]) {
        throw ModelError(fmt::format("axis '{}' has two sizes", term->letters[i]));
      }
    }
  }
  const auto in_both = [&](char l) { return contains(b.letters, l); };
  const std::string batch = select(a.letters, [&](char l) { return in_both(l) && contains(result, l); });
  const std::string inner = select(a.letters, [&](char l) { return in_both(l) && !contains(result, l); });
  const std::string rows = select(a.letters, [&](char l) { return !in_both(l); });
  const std::string columns = select(b.letters, [&](char l) { return !contains(a.letters, l); });
  std::vector<ir::Dim> lead;
  for (const char letter : batch) lead.push_back(sizes.at(letter));
  const auto matrix = [&](const Term& term, const std::string& first, const std::string& second) {
    std::vector<ir::Dim> dims = lead;
    dims.push_back(product(sizes, first));
    dims.push_back(product(sizes, second));
    return c.reshape(reorder(c, term, batch + first + second).value, ir::Shape(dims));
  };
  const ValueId left = matrix(a, rows, inner);
  const ValueId right = matrix(b, inner, columns);
  const ValueId out = c.emit(OpType::kMatMul, {left, right}, ir::MatMulAttrs{});
  std::vector<ir::Dim> dims = lead;
  for (const char letter : rows + columns) dims.push_back(sizes.at(letter));
  return {c.reshape(out, ir::Shape(dims)), batch + rows + columns};
}

void einsum(NodeContext& c) {
  const Equation equation = parse(c.attributes().text("equation", ""));
  const std::size_t count = equation.operands.size();
  c.expect_inputs(count, count);
  if (count > 2) throw UnsupportedError(fmt::format("{} operands are more than 2", count));
  std::vector<Term> terms;
  for (std::size_t i = 0; i < count; ++i) {
    if (equation.operands[i].size() != c.rank(c.input(i))) {
      throw ModelError(
          fmt::format("operand {} has rank {}, its letters are '{}'", i, c.rank(c.input(i)), equation.operands[i]));
    }
    terms.push_back({c.input(i), equation.operands[i]});
  }
  for (std::size_t i = 0; i < count; ++i) {
    terms[i] = sum_private(c, terms[i], count == 2 ? equation.operands[1 - i] : "", equation.result);
  }
  const Term joined = count == 2 ? contract(c, terms[0], terms[1], equation.result) : terms[0];
  c.alias(0, reorder(c, joined, equation.result).value);
}

constexpr ConverterEntry kEntries[] = {{"Einsum", einsum}};

}  // namespace

std::span<const ConverterEntry> einsum_converters() { return kEntries; }

}  // namespace xinfer::onnx
