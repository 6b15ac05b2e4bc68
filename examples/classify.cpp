// Classifies images with an engine. Needs the runtime library only.
// usage: classify MODEL.engine IMAGE...

#include <xinfer/runtime/inference_engine.h>

#include <algorithm>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: classify MODEL.engine IMAGE...\n";
    return 2;
  }
  try {
    const xinfer::runtime::InferenceEngine engine(argv[1]);
    for (int i = 2; i < argc; ++i) {
      const xinfer::Tensor scores = engine.infer(engine.load_images({argv[i]}));  // [1, classes]
      const auto values = scores.data<float>();
      const auto best = static_cast<std::size_t>(std::max_element(values.begin(), values.end()) - values.begin());
      std::cout << argv[i] << ": class " << best;
      if (best < engine.labels().size()) std::cout << " (" << engine.labels()[best] << ')';
      std::cout << ", score " << values[best] << '\n';
    }
  } catch (const std::exception& error) {
    std::cerr << "classify: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
