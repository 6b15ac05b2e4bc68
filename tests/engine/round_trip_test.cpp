// What save() writes, load() reads back.
#include <gmock/gmock.h>

#include <sys/resource.h>
#include <csignal>
#include <set>

#include "engine/attrs_codec.h"
#include "engine/helpers.h"
#include "ir/printer.h"
#include "ir/schema.h"

namespace xinfer::engine::testing {
namespace {

using ::testing::HasSubstr;

EngineFile saved_and_loaded(const EngineFile& file) {
  const TempDir dir;
  save(file, dir / "e");
  return load(dir / "e");  // the mapping outlives the file's name
}

void expect_same_values(const ir::Graph& a, const ir::Graph& b) {
  for (std::size_t i = 0; i < a.value_count(); ++i) {
    const ir::Value& wanted = a.value(static_cast<ir::ValueId>(i));
    const ir::ValueId id = b.find_value(wanted.name);
    ASSERT_NE(id, ir::kNone) << wanted.name;
    const ir::Value& got = b.value(id);
    EXPECT_EQ(got.dtype, wanted.dtype) << wanted.name;
    EXPECT_EQ(got.shape, wanted.shape) << wanted.name;
    EXPECT_EQ(got.quantization, wanted.quantization) << wanted.name;
    ASSERT_EQ(got.is_constant(), wanted.is_constant()) << wanted.name;
    if (!wanted.is_constant()) continue;
    ASSERT_EQ(got.constant->bytes(), wanted.constant->bytes()) << wanted.name;
    EXPECT_EQ(std::memcmp(got.constant->raw(), wanted.constant->raw(), wanted.constant->bytes()), 0) << wanted.name;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(got.constant->raw()) % kAlignment, 0U) << wanted.name;
  }
}

TEST(RoundTrip, KeepsEveryOperator) {
  EngineFile file = small_engine();
  file.graph = graph_of_every_operator();
  std::set<ir::OpType> present;
  for (const ir::NodeId id : file.graph.order()) present.insert(file.graph.node(id).op);
  for (const ir::OpSchema& schema : ir::all_schemas()) {
    EXPECT_TRUE(present.contains(schema.op)) << "add a node of " << schema.name << " to every_operator.cpp";
  }
  const EngineFile loaded = saved_and_loaded(file);
  EXPECT_EQ(ir::to_text(loaded.graph), ir::to_text(file.graph));
  EXPECT_EQ(loaded.graph.output_names(), file.graph.output_names());
  EXPECT_EQ(loaded.graph.name, file.graph.name);
  expect_same_values(file.graph, loaded.graph);
  const auto order = file.graph.order();
  const auto loaded_order = loaded.graph.order();
  ASSERT_EQ(order.size(), loaded_order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    EXPECT_EQ(file.graph.node(order[i]).name, loaded.graph.node(loaded_order[i]).name);
    EXPECT_EQ(file.graph.node(order[i]).attrs, loaded.graph.node(loaded_order[i]).attrs);
  }
}

TEST(RoundTrip, KeepsEverythingBesideTheGraph) {
  const EngineFile file = small_engine();
  const EngineFile loaded = saved_and_loaded(file);
  EXPECT_EQ(loaded.producer, file.producer);
  EXPECT_EQ(loaded.target, file.target);
  EXPECT_EQ(loaded.max_batch, 4);
  EXPECT_EQ(loaded.preprocessing, file.preprocessing);
  EXPECT_EQ(loaded.labels, file.labels);
  EXPECT_EQ(loaded.facts, file.facts);
  EXPECT_EQ(loaded.ranges, file.ranges);
  ASSERT_EQ(loaded.decisions.size(), 2U);
  EXPECT_EQ(loaded.decisions[1].node, "tanh");
  EXPECT_EQ(loaded.decisions[1].op, "Unary");
  EXPECT_EQ(loaded.decisions[1].precision, "fp32");
  EXPECT_EQ(loaded.decisions[1].reason, "no INT8 kernel");
  expect_same_values(file.graph, loaded.graph);
}

EngineFile engine_for_gpus() {
  EngineFile file = small_engine();
  CudaParts parts;
  parts.batches = {1, 4};
  parts.kernels.push_back({"aa", "75", Tensor::from<std::uint8_t>({3}, {1, 2, 3})});
  parts.kernels.push_back({"bb", "90a", Tensor::from<std::uint8_t>({70}, std::vector<std::uint8_t>(70, 7))});
  parts.choices.push_back({"90a", 4, "conv", "igemm_conv", {128, 64}, 12.5});
  parts.host_nodes.push_back({file.graph.node(file.graph.order().front()).name, "no kernel"});
  file.cuda = parts;
  return file;
}

TEST(RoundTrip, KeepsWhatGpusNeed) {
  const EngineFile file = engine_for_gpus();
  const EngineFile loaded = saved_and_loaded(file);
  expect_same_values(file.graph, loaded.graph);
  ASSERT_TRUE(loaded.cuda.has_value());
  EXPECT_EQ(loaded.cuda->batches, file.cuda->batches);
  ASSERT_EQ(loaded.cuda->kernels.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    const DeviceKernel& wanted = file.cuda->kernels[i];
    const DeviceKernel& got = loaded.cuda->kernels[i];
    EXPECT_EQ(got.key, wanted.key);
    EXPECT_EQ(got.arch, wanted.arch);
    ASSERT_EQ(got.code.bytes(), wanted.code.bytes());
    EXPECT_EQ(std::memcmp(got.code.raw(), wanted.code.raw(), wanted.code.bytes()), 0);
  }
  ASSERT_EQ(loaded.cuda->choices.size(), 1U);
  EXPECT_EQ(loaded.cuda->choices[0].node, "conv");
  EXPECT_EQ(loaded.cuda->choices[0].implementation, "igemm_conv");
  EXPECT_EQ(loaded.cuda->choices[0].tactic, (std::vector<int>{128, 64}));
  EXPECT_EQ(loaded.cuda->choices[0].batch, 4);
  EXPECT_EQ(loaded.cuda->choices[0].microseconds, 12.5);
  ASSERT_EQ(loaded.cuda->host_nodes.size(), 1U);
  EXPECT_EQ(loaded.cuda->host_nodes[0].node, file.cuda->host_nodes[0].node);
  EXPECT_EQ(loaded.cuda->host_nodes[0].reason, "no kernel");
  EXPECT_FALSE(saved_and_loaded(small_engine()).cuda.has_value());
}

TEST(RoundTrip, AGraphWithoutConstants) {
  EngineFile file = small_engine();
  file.graph = {};
  const auto x = file.graph.add_input("x", DataType::kInt64, {ir::Dim::n(), 2});
  file.graph.set_outputs({file.graph.add(ir::OpType::kConcat, "c", {x, x}, ir::AxisAttrs{1})});
  file.labels.clear();
  file.decisions.clear();
  file.facts.clear();
  file.preprocessing = {};
  const EngineFile loaded = saved_and_loaded(file);
  EXPECT_EQ(ir::to_text(loaded.graph), ir::to_text(file.graph));
  EXPECT_TRUE(loaded.labels.empty() && loaded.decisions.empty() && loaded.facts.empty());
  EXPECT_TRUE(loaded.preprocessing.empty());
}

TEST(RoundTrip, TheSameEngineGivesTheSameBytes) {
  EngineFile file = small_engine();
  file.graph = graph_of_every_operator();
  EXPECT_EQ(bytes_of(file), bytes_of(file));
  // Loading orders values anew (inputs, constants, outputs); from then on nothing changes any more.
  const std::string second = bytes_of(saved_and_loaded(file));
  const TempDir dir;
  write_file_atomically(dir / "e", second);
  EXPECT_EQ(bytes_of(load(dir / "e")), second);
}

/// Gives every field another value than its default.
struct Change {
  std::int64_t count = 0;
  template <class T>
  void operator()(const char*, T& value) {
    ++count;
    if constexpr (std::is_same_v<T, bool>) {
      value = !value;
    } else if constexpr (std::is_same_v<T, float>) {
      value = static_cast<float>(count) + 0.1F;
    } else if constexpr (std::is_same_v<T, std::vector<float>>) {
      value = {static_cast<float>(count), -0.1F, INFINITY};
    } else if constexpr (std::is_same_v<T, std::vector<std::int64_t>>) {
      value = {count, INT64_MIN, INT64_MAX};
    } else if constexpr (std::is_same_v<T, ir::Shape>) {
      value = {ir::Dim::n(), 3, ir::Dim::n(count + 1)};
    } else if constexpr (std::is_enum_v<T>) {
      value = static_cast<T>(static_cast<int>(value) + 1);
    } else {
      value = count + 1'000'000'000'000;
    }
  }
};

template <std::size_t I = 0, class F>
void for_each_attribute_struct(F&& visit) {
  if constexpr (I < std::variant_size_v<ir::Attributes>) {
    visit(ir::Attributes(std::in_place_index<I>));
    for_each_attribute_struct<I + 1>(visit);
  }
}

flatbuffers::DetachedBuffer encoded_node(const ir::Attributes& attrs) {
  flatbuffers::FlatBufferBuilder builder;
  const auto fields = encode(builder, attrs);
  builder.Finish(fb::CreateNodeDirect(builder, "op", "name", nullptr, nullptr, &fields));
  return builder.Release();
}

TEST(Attributes, EveryFieldOfEveryStructIsKept) {
  for_each_attribute_struct([](ir::Attributes attrs) {
    const ir::Attributes defaults = attrs;
    Change change;
    std::visit([&](auto& fields) { std::decay_t<decltype(fields)>::visit(fields, change); }, attrs);
    EXPECT_EQ(attrs == defaults, change.count == 0) << "struct " << attrs.index();
    const auto buffer = encoded_node(attrs);
    const auto* node = flatbuffers::GetRoot<fb::Node>(buffer.data());
    EXPECT_EQ(decode(attrs.index(), node->attrs()), attrs) << "struct " << attrs.index();
    EXPECT_EQ(decode(attrs.index(), nullptr), defaults) << "a missing field keeps its default";
  });
}

TEST(Attributes, NumbersBeyondAnEnumerationAreRefused) {
  const auto refuses = [](const ir::Attributes& attrs) {
    const auto buffer = encoded_node(attrs);
    EXPECT_THROW(decode(attrs.index(), flatbuffers::GetRoot<fb::Node>(buffer.data())->attrs()), EngineError);
  };
  const auto accepts = [](const ir::Attributes& attrs) {
    const auto buffer = encoded_node(attrs);
    EXPECT_EQ(decode(attrs.index(), flatbuffers::GetRoot<fb::Node>(buffer.data())->attrs()), attrs);
  };
  accepts(ir::UnaryAttrs{ir::UnaryKind::kIsNan, 0, 0});
  refuses(ir::UnaryAttrs{static_cast<ir::UnaryKind>(static_cast<int>(ir::UnaryKind::kIsNan) + 1), 0, 0});
  accepts(ir::BinaryAttrs{ir::BinaryKind::kXor, {}});
  refuses(ir::BinaryAttrs{static_cast<ir::BinaryKind>(static_cast<int>(ir::BinaryKind::kXor) + 1), {}});
  accepts(ir::CastAttrs{DataType::kBool});
  refuses(ir::CastAttrs{static_cast<DataType>(static_cast<int>(DataType::kBool) + 1)});
  accepts(ir::ReduceAttrs{ir::ReduceKind::kLogSumExp, {}, true});
  refuses(ir::ReduceAttrs{static_cast<ir::ReduceKind>(200), {}, true});
  accepts(ir::PadAttrs{ir::PadMode::kWrap, {}, 0});
  refuses(ir::PadAttrs{static_cast<ir::PadMode>(4), {}, 0});
  accepts(ir::ScatterAttrs{ir::ScatterReduction::kMin});
  refuses(ir::ScatterAttrs{static_cast<ir::ScatterReduction>(5)});
  ir::ResizeAttrs resize;
  resize.mode = static_cast<ir::ResizeMode>(3);
  refuses(resize);
  resize = {};
  resize.coordinates = static_cast<ir::CoordinateMode>(5);
  refuses(resize);
  resize = {};
  resize.nearest = static_cast<ir::NearestMode>(4);
  refuses(resize);
}

TEST(Attributes, FieldsOfAnotherStructAreRefused) {
  const auto buffer = encoded_node(ir::CumSumAttrs{});
  const auto index = ir::Attributes(ir::AxisAttrs{}).index();
  EXPECT_THROW(decode(index, flatbuffers::GetRoot<fb::Node>(buffer.data())->attrs()), EngineError);
  EXPECT_THROW(decode(std::variant_size_v<ir::Attributes>, nullptr), EngineError);
}

std::string save_error(const std::string& path) {
  try {
    save(small_engine(), path);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(Save, SaysWhereAndWhy) {
  const TempDir dir;
  EXPECT_THAT(save_error("/dev/full"), HasSubstr("/dev/full"));
  EXPECT_THAT(save_error(dir / "missing/e"), HasSubstr("missing"));
  EXPECT_THAT(save_error(dir / "."), HasSubstr("could not write"));
  EXPECT_THAT(save_error(""), HasSubstr("empty"));
  EXPECT_EQ(dir.entries(), 0U);
}

TEST(Save, LeavesNothingBehindWhenTheDiskIsFull) {
  const TempDir dir;
  write_file_atomically(dir / "e", "an older engine");
  struct rlimit before {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  struct rlimit small = before;
  small.rlim_cur = 512;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string error = save_error(dir / "e");
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_THAT(error, HasSubstr(dir / "e"));
  EXPECT_EQ(dir.entries(), 1U);
  EXPECT_EQ(read_file(dir / "e"), "an older engine");
}

TEST(Save, ReplacesAnOlderFile) {
  const TempDir dir;
  write_file_atomically(dir / "e", "an older engine");
  save(small_engine(), dir / "e");
  EXPECT_EQ(load(dir / "e").max_batch, 4);
  EXPECT_EQ(file_size(dir / "e"), read_file(dir / "e").size());
  EXPECT_EQ(dir.entries(), 1U);
}

}  // namespace
}  // namespace xinfer::engine::testing
