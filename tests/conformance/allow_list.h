#pragma once
// unsupported.txt: what xInfer knowingly doesn't do, and why.

#include <string>
#include <vector>

#include "node_case.h"

namespace xinfer::conformance {

/// "operator <name>: <why>" covers every test with that operator, "test <name>: <why>" one test; both can't be read.
/// "differs <name>: <why>" is a test that is read, but gives other results or can't run. A name that ends in * covers
/// all that begin like it. # starts a comment.
struct AllowEntry {
  enum class Kind { kOperator, kTest, kDiffers };
  Kind kind = Kind::kOperator;
  std::string name;
  std::string why;

  bool covers(const NodeCase& node_case) const;
};

/// Throws Error on a line that can't be understood.
std::vector<AllowEntry> read_allow_list(const std::string& path);

}  // namespace xinfer::conformance
