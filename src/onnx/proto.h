#pragma once
// The ONNX schema's generated classes. Only this room and its tests see protobuf.

#ifndef ONNX_ML
#define ONNX_ML 1  // the library's flavour: functions, sparse tensors, metadata
#endif
#include <onnx/onnx_pb.h>

namespace xinfer::onnx {

using ::onnx::AttributeProto;
using ::onnx::GraphProto;
using ::onnx::ModelProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;
using ::onnx::ValueInfoProto;

}  // namespace xinfer::onnx
