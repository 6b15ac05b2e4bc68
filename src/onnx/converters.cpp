#include "onnx/converters.h"

#include <unordered_map>

namespace xinfer::onnx {
namespace {

using Table = std::unordered_map<std::string_view, Converter>;

Table table_of(std::initializer_list<std::span<const ConverterEntry>> families) {
  Table table;
  for (const auto& family : families) {
    for (const ConverterEntry& entry : family) table.emplace(entry.op, entry.convert);
  }
  return table;
}

}  // namespace

Converter find_converter(std::string_view domain, std::string_view op) {
  static const Table standard =
      table_of({activation_converters(), attention_converters(), conv_converters(), einsum_converters(),
                elementwise_converters(), fill_converters(), indexing_converters(), matmul_converters(),
                movement_converters(), norm_converters(), pool_converters(), quant_converters(), reduce_converters(),
                resize_converters(), shape_converters()});
  static const Table microsoft = table_of({microsoft_converters()});
  if (!domain.empty() && domain != "com.microsoft") return nullptr;
  const Table& table = domain.empty() ? standard : microsoft;
  const auto found = table.find(op);
  return found == table.end() ? nullptr : found->second;
}

std::string_view why_unsupported(std::string_view domain, std::string_view op) {
  static const std::unordered_map<std::string_view, std::string_view> reasons = {
      {"Loop", "loops are not supported; export with fixed iteration counts, so that they unroll"},
      {"Scan", "loops are not supported; export with fixed iteration counts, so that they unroll"},
      {"LSTM", "recurrent layers are not supported"},
      {"GRU", "recurrent layers are not supported"},
      {"RNN", "recurrent layers are not supported"},
      {"NonMaxSuppression", "its output size depends on the data; export the model without its post-processing"},
      {"NonZero", "its output size depends on the data"},
      {"Unique", "its output size depends on the data"},
      {"Compress", "its output size depends on the data"},
      {"DynamicQuantizeLinear",
       "dynamically quantized models are not supported; give the float model, and it is calibrated"},
      {"MatMulInteger", "dynamically quantized models are not supported; give the float model, and it is calibrated"},
      {"ConvInteger", "dynamically quantized models are not supported; give the float model, and it is calibrated"},
      {"SequenceConstruct", "sequences are not supported"},
      {"SplitToSequence", "sequences are not supported"},
      {"SequenceAt", "sequences are not supported"},
      {"ConcatFromSequence", "sequences are not supported"},
  };
  if (!domain.empty()) return "operators of this domain are not known";
  const auto found = reasons.find(op);
  return found == reasons.end() ? std::string_view("there is no such operator in xInfer") : found->second;
}

}  // namespace xinfer::onnx
