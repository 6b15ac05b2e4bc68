#include "engine/helpers.h"

#include <array>
#include <bit>
#include <fstream>

namespace xinfer::engine::testing {
namespace {

Header header_of(const std::string& bytes) {
  std::array<char, kHeaderSize> raw{};
  std::memcpy(raw.data(), bytes.data(), kHeaderSize);
  return std::bit_cast<Header>(raw);
}

}  // namespace

EngineFile small_engine() {
  EngineFile file;
  file.producer = "xinfer test";
  file.target = "cpu-x86_64";
  file.max_batch = 4;
  ir::Graph& g = file.graph;
  g.name = "small";
  const auto x = g.add_input("x", DataType::kFloat32, {ir::Dim::n(), 4});
  const auto w = g.add_constant("w", Tensor::from<std::int8_t>({2, 4}, {1, -2, 3, -4, 5, -6, 7, -127}),
                                ir::Quantization{{0.5F, 0.25F}, {}, 0});
  const auto bias = g.add_constant("b", Tensor::from<float>({2}, {0.5F, -1.5F}));
  const auto q = g.add(ir::OpType::kQuantize, "quantize", {x});
  g.value(q).dtype = DataType::kUInt8;
  g.value(q).quantization = ir::Quantization{{0.125F}, {}, -1};
  const auto y = g.add(ir::OpType::kLinear, "linear", {q, w, bias}, ir::LinearAttrs{{ir::UnaryKind::kClip, 0, 6}});
  const auto z = g.add(ir::OpType::kUnary, "tanh", {y}, ir::UnaryAttrs{ir::UnaryKind::kTanh, 0, 0});
  g.set_outputs({z});
  file.preprocessing.steps = {{PreprocessStep::Kind::kResize, {8, 8}, {}, ""},
                              {PreprocessStep::Kind::kNormalize, {}, {0.5F, 0.25F}, ""}};
  file.labels = {"cat", "dog"};
  file.decisions = {{"linear", "Linear", "int8", ""}, {"tanh", "Unary", "fp32", "no INT8 kernel"}};
  file.facts = {{"model", "small.onnx"}, {"note", ""}};
  file.ranges = {{"x", 31.875F, 0.0009765625}};
  return file;
}

void write_quickly(const std::string& path, const std::string& bytes) {
  std::ofstream stream(path, std::ios::binary | std::ios::trunc);
  stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  ASSERT_TRUE(stream.flush()) << path;
}

std::string bytes_of(const EngineFile& engine) {
  const TempDir dir;
  save(engine, dir / "e");
  return read_file(dir / "e");
}

std::string load_error(const std::string& bytes) {
  const TempDir dir;
  write_quickly(dir / "e", bytes);
  try {
    load(dir / "e");
    return "";
  } catch (const EngineError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr(dir / "e"));
    return error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "not an EngineError: " << error.what();
    return error.what();
  }
}

std::unique_ptr<fb::EngineT> structure_of(const std::string& bytes) {
  return std::unique_ptr<fb::EngineT>(fb::GetEngine(bytes.data() + kHeaderSize)->UnPack());
}

std::size_t weights_begin(const std::string& bytes) {
  return static_cast<std::size_t>(sections_begin(header_of(bytes).structure_size));
}

std::string with_structure(const std::string& bytes, const std::string& structure) {
  const std::string weights = bytes.substr(weights_begin(bytes));
  Header header = header_of(bytes);
  header.structure_size = structure.size();
  header.file_size = sections_begin(structure.size()) + weights.size();
  const std::string digest = hash_bytes(structure.data(), structure.size());
  std::memcpy(header.structure_hash, digest.data(), sizeof(header.structure_hash));
  const auto raw = std::bit_cast<std::array<char, kHeaderSize>>(header);
  std::string result(raw.data(), raw.size());
  result += structure;
  result.resize(sections_begin(structure.size()), '\0');
  return result + weights;
}

std::string tampered(const std::string& bytes, const std::function<void(fb::EngineT&)>& change) {
  const auto engine = structure_of(bytes);
  change(*engine);
  flatbuffers::FlatBufferBuilder builder;
  fb::FinishEngineBuffer(builder, fb::CreateEngine(builder, engine.get()));
  return with_structure(bytes,
                        {reinterpret_cast<const char*>(builder.GetBufferPointer()), std::size_t(builder.GetSize())});
}

}  // namespace xinfer::engine::testing
