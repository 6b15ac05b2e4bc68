// The step between two formats, from every format to every other.

#include <gtest/gtest.h>

#include "cuda/executor.h"
#include "cuda/harness.h"
#include "cuda/implementations.h"
#include "cuda/placement.h"

namespace xinfer::cuda {
namespace {

using testing::Random;
using testing::Sizes;

/// rows -> `from` -> `to` -> rows.
std::shared_ptr<const Program> round_trip(DataType type, const Sizes& dims, const Format& from, const Format& to) {
  ir::Graph graph;
  const auto x = graph.add_input("x", type, ir::Shape::of(dims));
  graph.set_outputs({graph.add(ir::OpType::kUnary, "y", {x}, ir::UnaryAttrs{})});
  auto program = std::make_shared<Program>();
  program->graph = std::make_shared<const ir::Graph>(graph);
  program->infos.resize(1);
  const Element element = type == DataType::kFloat32 ? Element::kF32 : to.element;
  const std::vector<Format> formats{Format::rows(element), from, to, Format::rows(element)};
  for (std::size_t i = 0; i < formats.size(); ++i) {
    Buffer buffer;
    buffer.bytes = bytes_of(dims, formats[i]);
    if (i == 0) buffer.home = Buffer::Home::kInput;
    if (i + 1 == formats.size()) buffer.home = Buffer::Home::kOutput;
    program->buffers.push_back(buffer);
    if (i == 0) continue;
    const int here = static_cast<int>(i);
    program->items.push_back({create_reformat(dims, formats[i - 1], formats[i]), {here - 1}, {here}, 0});
  }
  place_buffers(*program);
  return program;
}

/// One state for all tests: kernels are compiled once. Null where there is no GPU.
const std::shared_ptr<DeviceState>& state() {
  static const auto made = gpu::device_count() == 0
                               ? std::shared_ptr<DeviceState>()
                               : std::make_shared<DeviceState>(gpu::Device::open(), std::make_shared<gpu::Compiler>());
  return made;
}

void check_round_trip(DataType type, const Sizes& dims, const Format& from, const Format& to) {
  const auto program = round_trip(type, dims, from, to);
  if (state() == nullptr) {
    if (gpu::compiler_available()) gpu::Compiler().get_all(program->kernels(), {90, true});
    return;
  }
  Random random(5);
  const Tensor x = random.any(type, dims);
  Context context(std::make_shared<const LoadedProgram>(program, state()));
  std::vector<Tensor> y{Tensor(type, dims)};
  context.run(std::vector<Tensor>{x}, y);
  testing::expect_equal(x, y[0], testing::Tolerance::exact(), to_string(from) + " to " + to_string(to) + ": ");
}

class Reformat : public ::testing::TestWithParam<Sizes> {
 protected:
  void check_all(DataType type, const std::vector<Element>& elements) {
    std::vector<Format> formats;
    for (const Element element : elements) {
      formats.push_back(Format::rows(element));
      formats.push_back(Format::padded_rows(element));
      if (fits(Format::nhwc(element), GetParam().size())) formats.push_back(Format::nhwc(element));
      if (fits(Format::pixels(element), GetParam().size())) formats.push_back(Format::pixels(element));
    }
    for (const Format& from : formats) {
      for (const Format& to : formats) check_round_trip(type, GetParam(), from, to);
    }
  }
};

TEST_P(Reformat, MovesReals) { check_all(DataType::kFloat32, {Element::kF32, Element::kF16}); }
TEST_P(Reformat, MovesBytes) { check_all(DataType::kInt8, {Element::kS8}); }

INSTANTIATE_TEST_SUITE_P(Shapes, Reformat,
                         ::testing::Values(Sizes{}, Sizes{17}, Sizes{3, 130}, Sizes{2, 3, 5}, Sizes{2, 17, 32},
                                           Sizes{2, 1, 3, 3}, Sizes{1, 3, 8, 16}, Sizes{2, 17, 7, 7},
                                           Sizes{1, 130, 4, 8}, Sizes{1, 5, 2, 3, 4}));

TEST(ReformatTypes, MovesIndicesAndTruths) {
  check_round_trip(DataType::kInt64, {3, 7}, Format::padded_rows(Element::kS64), Format::rows(Element::kS64));
  check_round_trip(DataType::kInt32, {2, 5, 6}, Format::nhwc(Element::kS32), Format::padded_rows(Element::kS32));
  check_round_trip(DataType::kBool, {2, 5, 4, 4}, Format::nhwc(Element::kBool), Format::rows(Element::kBool));
}

TEST(ReformatTypes, RefusesToChangeMeanings) {
  EXPECT_THROW(create_reformat({4}, Format::rows(Element::kS8), Format::rows(Element::kF32)), std::logic_error);
}

}  // namespace
}  // namespace xinfer::cuda
