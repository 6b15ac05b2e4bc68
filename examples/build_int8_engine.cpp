// Builds an INT8 engine from an ONNX model and a folder of calibration images, shows progress, and prints the report.
// usage: build_int8_engine MODEL.onnx IMAGES/ OUT.engine [SIDE]      SIDE: image height and width (default 224)

#include <xinfer/builders/calibrator.h>
#include <xinfer/builders/engine_builder.h>
#include <xtorch/xtorch.h>

#include <cstdint>
#include <exception>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  if (argc < 4 || argc > 5) {
    std::cerr << "usage: build_int8_engine MODEL.onnx IMAGES/ OUT.engine [SIDE]\n";
    return 2;
  }
  try {
    const std::int64_t side = argc == 5 ? std::stoll(argv[4]) : 224;

    // 1. What an image goes through on its way to the network. The engine stores it.
    auto images = xt::datasets::ImageFolder(
        argv[2], xt::transforms::Compose({
                     std::make_shared<xt::transforms::image::Resize>(std::vector<std::int64_t>{side, side}),
                     std::make_shared<xt::transforms::general::Normalize>(std::vector<float>{0.485F, 0.456F, 0.406F},
                                                                          std::vector<float>{0.229F, 0.224F, 0.225F}),
                 }));
    xt::dataloaders::ExtendedDataLoader loader(images, 32, false);

    // 2. Calibration data for the builder.
    auto calibrator = std::make_shared<xinfer::builders::DataLoaderCalibrator>(loader);

    // 3. Build, and say how it went.
    xinfer::builders::EngineBuilder builder;
    builder.from_onnx(argv[1])
        .with_int8(calibrator)
        .with_max_batch_size(32)
        .with_progress([](xinfer::builders::BuildStage stage, std::int64_t done, std::int64_t total) {
          std::cerr << '\r' << xinfer::builders::name_of(stage) << ' ' << done << '/' << total << "      ";
          return true;
        });
    const xinfer::builders::BuildReport report = builder.build_and_save(argv[3]);
    std::cerr << '\n';
    std::cout << report.to_text();
  } catch (const std::exception& error) {
    std::cerr << "\nbuild_int8_engine: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
