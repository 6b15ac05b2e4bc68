#pragma once
// The table of ONNX operators: one converter each.

#include <span>
#include <string_view>

#include "onnx/context.h"

namespace xinfer::onnx {

/// Builds the IR nodes of one ONNX node and sets its outputs (finish or alias). Throws ModelError or UnsupportedError
/// with a reason that needs no file or node name: the importer adds them.
using Converter = void (*)(NodeContext&);

struct ConverterEntry {
  std::string_view op;
  Converter convert;
};

// One list a family; each list is sorted by subject in its own file.
std::span<const ConverterEntry> activation_converters();
std::span<const ConverterEntry> attention_converters();
std::span<const ConverterEntry> conv_converters();
std::span<const ConverterEntry> einsum_converters();
std::span<const ConverterEntry> elementwise_converters();
std::span<const ConverterEntry> fill_converters();
std::span<const ConverterEntry> indexing_converters();
std::span<const ConverterEntry> matmul_converters();
std::span<const ConverterEntry> movement_converters();
std::span<const ConverterEntry> norm_converters();
std::span<const ConverterEntry> pool_converters();
std::span<const ConverterEntry> quant_converters();
std::span<const ConverterEntry> reduce_converters();
std::span<const ConverterEntry> resize_converters();
std::span<const ConverterEntry> shape_converters();
std::span<const ConverterEntry> microsoft_converters();  ///< domain com.microsoft

/// The converter of `op` in `domain` ("" is the default one); null when there is none.
Converter find_converter(std::string_view domain, std::string_view op);
/// Why an operator without a converter has none, or a general sentence.
std::string_view why_unsupported(std::string_view domain, std::string_view op);

}  // namespace xinfer::onnx
