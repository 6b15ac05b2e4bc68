// The last resort for every operator: the reference, on plain tensors. Also the step that changes layouts.

#include <cstring>

#include "cpu/dnnl_step.h"
#include "cpu/implementations.h"
#include "kernels/layout.h"
#include "reference/reference.h"

namespace xinfer::cpu {
namespace {

class ReferenceStep final : public Step {
 public:
  explicit ReferenceStep(const Request& request) : graph_(request.graph), node_(request.node), batch_(request.batch) {
    implementation = "reference";
    set_layouts(*this, request, Layout::plain());
    for (std::size_t i = 0; i < node_.inputs.size(); ++i) {
      types_.push_back(request.has(i) ? request.input_type(i) : DataType::kFloat32);
      dims_.push_back(request.has(i) ? request.input_dims(i) : Dims{});
      if (request.has(i) && is_int8_like(request.input_type(i))) compute_type = DataType::kInt8;
    }
  }

  void run(const Frame& frame, State*) const override {
    std::vector<Tensor> tensors;
    for (std::size_t i = 0; i < dims_.size(); ++i) {
      if (frame.inputs[i] == nullptr && node_.inputs[i] == ir::kNone) {
        tensors.emplace_back();
      } else {
        tensors.push_back(Tensor::view(types_[i], dims_[i], frame.inputs[i], nullptr));
      }
    }
    const auto results = reference::evaluate({graph_, node_, batch_}, tensors);
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (results[i].bytes() != 0) std::memcpy(frame.outputs[i], results[i].raw(), results[i].bytes());
    }
  }

 private:
  const ir::Graph& graph_;  // kept alive by the program
  const ir::Node& node_;
  std::int64_t batch_;
  std::vector<DataType> types_;
  std::vector<Dims> dims_;
};

/// Between plain and channels last, for elements of any size.
class TransposeLayoutStep final : public Step {
 public:
  TransposeLayoutStep(DataType type, const Dims& dims, bool to_channels_last)
      : batch_(dims[0]), rows_(dims[1]), columns_(1), element_(size_of(type)) {
    for (std::size_t i = 2; i < dims.size(); ++i) columns_ *= dims[i];
    if (!to_channels_last) std::swap(rows_, columns_);
  }
  void run(const Frame& frame, State*) const override {
    kernels::transpose(frame.inputs[0], batch_, rows_, columns_, element_, frame.outputs[0]);
  }

 private:
  std::int64_t batch_, rows_, columns_;
  std::size_t element_;
};

/// Between layouts that only reorder axes.
class PermuteLayoutStep final : public Step {
 public:
  PermuteLayoutStep(DataType type, const Dims& dims, const Layout& from, const Layout& to)
      : shape_(physical_dims(dims, from)), permutation_(dims.size()), element_(size_of(type)) {
    for (std::size_t axis = 0; axis < dims.size(); ++axis) {
      permutation_[physical_axis(to, dims.size(), axis)] =
          static_cast<std::int64_t>(physical_axis(from, dims.size(), axis));
    }
  }
  void run(const Frame& frame, State*) const override {
    kernels::permute(frame.inputs[0], shape_, permutation_, element_, frame.outputs[0]);
  }

 private:
  Dims shape_, permutation_;
  std::size_t element_;
};

}  // namespace

Creation create_reference(const Request& request) { return std::make_unique<ReferenceStep>(request); }

std::unique_ptr<Step> create_reorder(DataType type, const Dims& dims, const Layout& from, const Layout& to) {
  std::unique_ptr<Step> step;
  const auto is = [&](Layout::Kind kind) { return from.kind == kind || to.kind == kind; };
  if (is(Layout::Kind::kSwapped) && !is(Layout::Kind::kBlocked)) {
    step = std::make_unique<PermuteLayoutStep>(type, dims, from, to);
  } else if (!is(Layout::Kind::kBlocked)) {
    step = std::make_unique<TransposeLayoutStep>(type, dims, from.is_plain());
  } else {
    const auto source = dnnl_api::describe(type, dims, from);
    const auto target = dnnl_api::describe(type, dims, to);
    dnnl::primitive_attr attr;
    attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const dnnl::reorder::primitive_desc desc(dnnl_api::engine(), source, dnnl_api::engine(), target, attr);
    step = std::make_unique<DnnlStep>(
        dnnl::reorder(desc),
        std::vector<Operand>{Operand::input(DNNL_ARG_FROM, 0, source), Operand::output(DNNL_ARG_TO, target)},
        desc.scratchpad_desc());
  }
  step->implementation = "reorder";
  step->inputs = {from};
  step->outputs = {to};
  return step;
}

}  // namespace xinfer::cpu
