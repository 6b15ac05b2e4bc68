// Engine files whose sizes and hashes are right but whose contents lie: a loader trusts nothing.
#include <limits>
#include <random>

#include "engine/helpers.h"

namespace xinfer::engine::testing {
namespace {

using ::testing::HasSubstr;

struct Lie {
  const char* name;
  std::function<void(fb::EngineT&)> tell;
  const char* message;  ///< part of what() that shows the reason was found
};

void PrintTo(const Lie& lie, std::ostream* out) { *out << lie.name; }

fb::ValueT& value(fb::EngineT& e, const std::string& name) {
  for (auto& v : e.graph->values) {
    if (v->name == name) return *v;
  }
  throw std::out_of_range(name);
}
fb::NodeT& node(fb::EngineT& e, std::size_t i) { return *e.graph->nodes.at(i); }  // 0 quantize, 1 linear, 2 tanh
fb::FieldT& field(fb::EngineT& e, std::size_t n, const std::string& name) {
  for (auto& f : node(e, n).attrs) {
    if (f->name == name) return *f;
  }
  throw std::out_of_range(name);
}

class Hostile : public ::testing::TestWithParam<Lie> {};

TEST_P(Hostile, IsRefused) {
  const std::string good = bytes_of(small_engine());
  ASSERT_EQ(load_error(tampered(good, [](fb::EngineT&) {})), "") << "tampering itself must not break the file";
  EXPECT_THAT(load_error(tampered(good, GetParam().tell)), HasSubstr(GetParam().message));
}

const Lie kIdentifiers[] = {
    {"input_id_beyond", [](auto& e) { node(e, 1).inputs[0] = 9999; }, "out of range"},
    {"input_id_negative", [](auto& e) { node(e, 1).inputs[0] = -2; }, "out of range"},
    {"input_id_smallest", [](auto& e) { node(e, 1).inputs[0] = INT32_MIN; }, "out of range"},
    {"output_id_beyond", [](auto& e) { node(e, 1).outputs[0] = 9999; }, "out of range"},
    {"output_id_none", [](auto& e) { node(e, 1).outputs[0] = -1; }, "out of range"},
    {"graph_input_beyond", [](auto& e) { e.graph->inputs[0] = 77; }, "out of range"},
    {"graph_output_beyond", [](auto& e) { e.graph->outputs[0] = 77; }, "out of range"},
    {"required_input_absent", [](auto& e) { node(e, 1).inputs[0] = -1; }, "lacks input 0"},
    {"no_inputs", [](auto& e) { node(e, 1).inputs.clear(); }, "0 inputs"},
    {"no_outputs", [](auto& e) { node(e, 1).outputs.clear(); }, "0 outputs"},
    {"too_many_inputs", [](auto& e) { node(e, 2).inputs.assign(50, 0); }, "50 inputs"},
    {"a_cycle", [](auto& e) { std::reverse(e.graph->nodes.begin(), e.graph->nodes.end()); }, "before it is computed"},
    {"reads_its_own_output", [](auto& e) { node(e, 2).inputs = node(e, 2).outputs; }, "before it is computed"},
    {"computes_an_input", [](auto& e) { node(e, 2).outputs[0] = e.graph->inputs[0]; }, "twice"},
    {"two_producers", [](auto& e) { node(e, 2).outputs = node(e, 0).outputs; }, "twice"},
    {"the_same_input_twice", [](auto& e) { e.graph->inputs.push_back(e.graph->inputs[0]); }, "twice"},
    {"an_input_that_is_constant", [](auto& e) { value(e, "x").constant = true; }, ""},
    {"no_graph_inputs", [](auto& e) { e.graph->inputs.clear(); }, "before it is computed"},
    {"no_graph_outputs", [](auto& e) { e.graph->outputs.clear(), e.graph->output_names.clear(); }, "no outputs"},
    {"too_few_output_names", [](auto& e) { e.graph->output_names.clear(); }, "output names"},
    {"too_many_output_names", [](auto& e) { e.graph->output_names.emplace_back("y"); }, "output names"},
    {"two_values_of_one_name", [](auto& e) { value(e, "b").name = "w"; }, "twice"},
    {"two_nodes_of_one_name", [](auto& e) { node(e, 2).name = node(e, 1).name; }, "twice"},
    {"an_output_named_as_a_constant", [](auto& e) { value(e, "tanh").name = "w"; }, "twice"},
    {"an_unknown_operator", [](auto& e) { node(e, 2).op = "Frobnicate"; }, "Frobnicate"},
};
INSTANTIATE_TEST_SUITE_P(Identifiers, Hostile, ::testing::ValuesIn(kIdentifiers),
                         [](const auto& info) { return info.param.name; });

const Lie kTensors[] = {
    {"an_unknown_type", [](auto& e) { value(e, "x").dtype = 77; }, "element type 77"},
    {"a_rank_of_100", [](auto& e) { value(e, "x").shape.assign(100, fb::Dim(1, false)); }, "rank 100"},
    {"a_negative_dimension", [](auto& e) { value(e, "x").shape[1] = fb::Dim(-4, false); }, "dimension -4"},
    {"zero_times_the_batch", [](auto& e) { value(e, "x").shape[0] = fb::Dim(0, true); }, "dimension 0N"},
    {"an_input_of_another_shape", [](auto& e) { value(e, "x").shape[1] = fb::Dim(5, false); }, "shape"},
    {"an_output_of_another_shape", [](auto& e) { value(e, "tanh").shape[1] = fb::Dim(5, false); }, "another shape"},
    {"an_output_of_another_type", [](auto& e) { value(e, "tanh").dtype = 4; }, ""},
    {"a_huge_input", [](auto& e) { value(e, "x").shape[1] = fb::Dim(INT64_MAX, false); }, ""},
    {"constant_beyond_the_section", [](auto& e) { value(e, "w").offset = 1U << 30; }, "outside the weights"},
    {"constant_at_the_end", [](auto& e) { value(e, "w").offset = 128; }, "outside the weights"},
    {"constant_offset_overflows", [](auto& e) { value(e, "w").offset = ~std::uint64_t{63}; }, "outside the weights"},
    {"constant_not_aligned", [](auto& e) { value(e, "w").offset = 4; }, "outside the weights"},
    {"constant_too_large", [](auto& e) { value(e, "w").shape[0] = fb::Dim(1 << 20, false); }, "outside the weights"},
    {"constant_size_overflows",
     [](auto& e) {
       value(e, "w").shape = {fb::Dim(INT64_MAX, false), fb::Dim(INT64_MAX, false)};
     },
     "too large"},
    {"constant_of_a_batch", [](auto& e) { value(e, "w").shape[0] = fb::Dim(2, true); }, "batch dimension"},
    {"no_scale", [](auto& e) { value(e, "quantize").quantization->scales.clear(); }, "no scale"},
    {"a_scale_of_zero", [](auto& e) { value(e, "quantize").quantization->scales = {0}; }, "scale 0"},
    {"a_negative_scale", [](auto& e) { value(e, "quantize").quantization->scales = {-1}; }, "scale -1"},
    {"a_scale_of_nan", [](auto& e) { value(e, "quantize").quantization->scales = {NAN}; }, "scale nan"},
    {"an_infinite_scale",
     [](auto& e) {
       value(e, "w").quantization->scales = {INFINITY, 1};
     },
     "scale inf"},
    {"too_many_scales", [](auto& e) { value(e, "w").quantization->scales.assign(7, 1.0F); }, "7 scales"},
    {"too_many_zero_points", [](auto& e) { value(e, "w").quantization->zero_points.assign(7, 1); }, "zero points"},
    {"scales_along_no_axis", [](auto& e) { value(e, "w").quantization->axis = 50; }, "axis 50"},
    {"a_quantized_float",
     [](auto& e) {
       value(e, "b").quantization = std::make_unique<fb::QuantizationT>();
       value(e, "b").quantization->scales = {1};
     },
     "type is f32"},
    {"not_quantized", [](auto& e) { value(e, "quantize").quantization.reset(); }, "float or quantized"},
};
INSTANTIATE_TEST_SUITE_P(Tensors, Hostile, ::testing::ValuesIn(kTensors),
                         [](const auto& info) { return info.param.name; });

const Lie kAttributes[] = {
    {"an_unknown_field", [](auto& e) { field(e, 2, "kind").name = "kindness"; }, "unknown"},
    {"a_field_twice", [](auto& e) { node(e, 2).attrs.push_back(std::make_unique<fb::FieldT>(*node(e, 2).attrs[0])); },
     "unknown"},
    {"an_unknown_kind", [](auto& e) { field(e, 2, "kind").ints = {200}; }, "200"},
    {"a_negative_kind", [](auto& e) { field(e, 2, "kind").ints = {-1}; }, "-1"},
    {"a_kind_beyond_its_bits", [](auto& e) { field(e, 2, "kind").ints = {256}; }, "256"},
    {"two_kinds",
     [](auto& e) {
       field(e, 2, "kind").ints = {1, 2};
     },
     "one value"},
    {"no_kind", [](auto& e) { field(e, 2, "kind").ints.clear(); }, "one value"},
    {"a_float_kind", [](auto& e) { field(e, 2, "kind").ints.clear(), field(e, 2, "kind").floats = {1}; }, "one value"},
};
INSTANTIATE_TEST_SUITE_P(Attributes, Hostile, ::testing::ValuesIn(kAttributes),
                         [](const auto& info) { return info.param.name; });

const Lie kContainers[] = {
    {"no_batch", [](auto& e) { e.max_batch = 0; }, "maximum batch"},
    {"a_negative_batch", [](auto& e) { e.max_batch = -5; }, "maximum batch"},
    {"no_sections", [](auto& e) { e.sections.clear(); }, "sections"},
    {"two_sections", [](auto& e) { e.sections.push_back(std::make_unique<fb::SectionT>(*e.sections[0])); }, "sections"},
    {"another_section", [](auto& e) { e.sections[0]->kind = 9; }, "sections"},
    {"a_shorter_section", [](auto& e) { e.sections[0]->size -= 64; }, "weights section"},
    {"a_huge_section", [](auto& e) { e.sections[0]->size = ~std::uint64_t{0}; }, "weights section"},
    {"a_shifted_section", [](auto& e) { e.sections[0]->offset = 64; }, "weights section"},
    {"another_hash", [](auto& e) { e.sections[0]->hash = std::string(32, 'a'); }, "hash"},
    {"a_range_of_zero", [](auto& e) { e.ranges[0]->threshold = 0; }, "range of 'x' is 0"},
    {"a_range_of_nan", [](auto& e) { e.ranges[0]->threshold = NAN; }, "range of 'x' is nan"},
    {"an_infinite_range", [](auto& e) { e.ranges[0]->threshold = INFINITY; }, "range of 'x' is inf"},
    {"a_share_above_one", [](auto& e) { e.ranges[0]->clipped_share = 1.5; }, "share of 1.5"},
    {"a_negative_share", [](auto& e) { e.ranges[0]->clipped_share = -0.5; }, "share of -0.5"},
    {"a_share_of_nan", [](auto& e) { e.ranges[0]->clipped_share = NAN; }, "share of nan"},
    {"an_unknown_preprocessing", [](auto& e) { e.preprocessing[0]->kind = 200; }, "preprocessing step 200"},
};
INSTANTIATE_TEST_SUITE_P(Containers, Hostile, ::testing::ValuesIn(kContainers),
                         [](const auto& info) { return info.param.name; });

TEST(HostileWeights, BooleansAreZeroOrOne) {
  EngineFile file = small_engine();
  file.graph = {};
  const auto x = file.graph.add_input("x", DataType::kFloat32, {ir::Dim::n(), 2});
  Tensor mask(DataType::kBool, {2});
  mask.data<bool>()[1] = true;
  const auto condition = file.graph.add_constant("mask", mask);
  file.graph.set_outputs({file.graph.add(ir::OpType::kWhere, "where", {condition, x, x})});
  std::string bytes = bytes_of(file);
  ASSERT_EQ(load_error(bytes), "");
  bytes[weights_begin(bytes)] = 7;
  const std::string hash = hash_bytes(bytes.data() + weights_begin(bytes), bytes.size() - weights_begin(bytes));
  EXPECT_THAT(load_error(tampered(bytes, [&](fb::EngineT& e) { e.sections[0]->hash = hash; })), HasSubstr("no bool"));
}

TEST(HostileKernels, LieInsideTheirSection) {
  EngineFile file = small_engine();
  file.cuda.emplace();
  file.cuda->kernels.push_back({"key", "90a", Tensor::from<std::uint8_t>({3}, {1, 2, 3})});
  const std::string bytes = bytes_of(file);
  ASSERT_EQ(load_error(bytes), "");
  const auto with = [&](auto change) { return load_error(tampered(bytes, change)); };
  EXPECT_THAT(with([](fb::EngineT& e) { e.cuda->kernels[0]->offset = 65; }), HasSubstr("outside the code"));
  EXPECT_THAT(with([](fb::EngineT& e) { e.cuda->kernels[0]->size = ~std::uint64_t{0}; }),
              HasSubstr("outside the code"));
  EXPECT_THAT(with([](fb::EngineT& e) { e.sections[1]->size += 64; }), HasSubstr("code section"));
  EXPECT_THAT(with([](fb::EngineT& e) { e.cuda.reset(); }), HasSubstr("sections"));
  std::string damaged = bytes;
  damaged[damaged.size() - 64] ^= 1;
  EXPECT_THAT(load_error(damaged), HasSubstr("code section"));
}

TEST(HostileKernels, HaveTimes) {
  EngineFile file = small_engine();
  file.cuda.emplace();
  file.cuda->choices.push_back({"90a", 1, "conv", "igemm_conv", {}, 3});
  const std::string bytes = bytes_of(file);
  ASSERT_EQ(load_error(bytes), "");
  for (const double odd : {-1.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    EXPECT_THAT(load_error(tampered(bytes, [&](fb::EngineT& e) { e.cuda->choices[0]->microseconds = odd; })),
                HasSubstr("a kernel of node 'conv'"));
  }
}

TEST(HostileHostNodes, StandInTheGraph) {
  EngineFile file = small_engine();
  file.cuda.emplace();
  file.cuda->host_nodes.push_back({file.graph.node(file.graph.order().front()).name, "no kernel"});
  const std::string bytes = bytes_of(file);
  ASSERT_EQ(load_error(bytes), "");
  const auto with = [&](auto change) { return load_error(tampered(bytes, change)); };
  EXPECT_THAT(with([](fb::EngineT& e) { e.cuda->host_nodes[0]->node = "nobody"; }), HasSubstr("'nobody'"));
  EXPECT_THAT(with([](fb::EngineT& e) {
                e.cuda->host_nodes.push_back(std::make_unique<fb::HostNodeT>(*e.cuda->host_nodes[0]));
              }),
              HasSubstr("in the list twice"));
  EXPECT_EQ(with([](fb::EngineT& e) { e.cuda->host_nodes.clear(); }), "") << "as older builds wrote it";
}

/// Random changes of the structure with a right hash: load() may accept one that happens to make sense, and must refuse
/// the others with an EngineError.
TEST(HostileBytes, NeverGetPastTheChecks) {
  EngineFile file = small_engine();
  file.graph = graph_of_every_operator();
  const std::string good = bytes_of(file);
  std::uint64_t size = 0;
  std::memcpy(&size, good.data() + 32, sizeof(size));
  const std::string structure = good.substr(kHeaderSize, size);
  std::mt19937 random(20240607);
  int refused = 0;
  constexpr int kTries = 1500;
  for (int i = 0; i < kTries; ++i) {
    std::string bad = structure;
    for (std::uint32_t changes = 1 + random() % 3; changes > 0; --changes) {
      const std::size_t at = random() % bad.size();
      constexpr unsigned char kExtremes[] = {0x00, 0x01, 0x7F, 0x80, 0xFF};
      bad[at] = static_cast<char>(random() % 2 == 0 ? kExtremes[random() % 5] : random());
    }
    if (!load_error(with_structure(good, bad)).empty()) ++refused;
  }
  EXPECT_GT(refused, kTries / 4);
}

}  // namespace
}  // namespace xinfer::engine::testing
