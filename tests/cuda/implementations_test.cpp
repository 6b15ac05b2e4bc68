// The table of implementations: whatever the graph may hold, the GPU takes.

#include "cuda/implementations.h"

#include <gtest/gtest.h>

#include "ir/schema.h"

namespace xinfer::cuda {
namespace {

TEST(Implementations, EveryOperatorHasOne) {
  for (const ir::OpSchema& schema : ir::all_schemas()) {
    const auto list = implementations_of(schema.op);
    EXPECT_FALSE(list.empty()) << schema.name;
    for (const Implementation& implementation : list) {
      EXPECT_FALSE(implementation.name.empty()) << schema.name;
      EXPECT_NE(implementation.create, nullptr) << implementation.name;
    }
  }
}

}  // namespace
}  // namespace xinfer::cuda
