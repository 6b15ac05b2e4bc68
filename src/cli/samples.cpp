#include "cli/samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "xinfer/core/errors.h"

namespace xinfer::cli {
namespace {

SampleSource open_images(const DataOptions& data, const PreprocessingOptions& preprocessing,
                         const runtime::InferenceEngine& engine) {
  if (engine.inputs().size() != 1) {
    throw EngineError(fmt::format("the engine has {} inputs; images fill one", engine.inputs().size()),
                      "give arrays: --data-npy input=file.npy for each");
  }
  const auto transforms =
      preprocessing.given() ? preprocessing.compose() : xt::transforms::from_preprocessing(engine.preprocessing());
  const auto images = data.open_folder(transforms);
  const std::int64_t batch = std::min(data.batch, engine.max_batch_size());
  SampleSource source;
  source.count = static_cast<std::int64_t>(images.size());
  source.labelled = !images.class_names().empty();
  source.for_each = [images, batch, workers = data.workers, labelled = source.labelled](const auto& take) {
    xt::dataloaders::ExtendedDataLoader loader(images, batch, false, workers);
    for (xt::dataloaders::Batch& loaded : loader) {
      take({{loaded.data}, labelled ? loaded.labels : std::vector<std::int64_t>{}, loaded.paths});
    }
  };
  return source;
}

SampleSource open_arrays(const DataOptions& data, const runtime::InferenceEngine& engine) {
  std::map<std::string, Tensor> arrays = data.load_arrays();
  std::vector<Tensor> ordered;
  for (const runtime::TensorInfo& input : engine.inputs()) {
    auto found = arrays.find(input.name);
    if (found == arrays.end() && engine.inputs().size() == 1) found = arrays.find("");
    if (found == arrays.end()) {
      throw EngineError(fmt::format("no array for input '{}'", input.name),
                        fmt::format("add --data-npy {}=file.npy", input.name));
    }
    ordered.push_back(found->second);
  }
  const std::int64_t batch = std::min(data.batch, engine.max_batch_size());
  SampleSource source;
  source.count = ordered.front().dim(0);
  source.for_each = [ordered, batch, count = source.count](const auto& take) {
    for (std::int64_t begin = 0; begin < count; begin += batch) {
      const std::int64_t end = std::min(begin + batch, count);
      SampleBatch sample;
      for (const Tensor& tensor : ordered) sample.inputs.push_back(tensor.rows(begin, end));
      for (std::int64_t i = begin; i < end; ++i) sample.names.push_back(fmt::format("sample {}", i));
      take(sample);
    }
  };
  return source;
}

}  // namespace

SampleSource open_samples(const DataOptions& data, const PreprocessingOptions& preprocessing,
                          const runtime::InferenceEngine& engine) {
  if (data.folder.empty() == data.arrays.empty()) {
    throw CLI::ValidationError("--data", "give either --data FOLDER or --data-npy FILE");
  }
  return data.folder.empty() ? open_arrays(data, engine) : open_images(data, preprocessing, engine);
}

}  // namespace xinfer::cli
