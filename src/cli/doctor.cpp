#include <fmt/format.h>

#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/console.h"
#include "cpu/program.h"
#include "gpu/compiler.h"
#include "gpu/device.h"
#include "gpu/self_test.h"
#include "xinfer/core/errors.h"
#include "xinfer/core/version.h"

namespace xinfer::cli {
namespace {

struct Gpu {
  int index = 0;
  gpu::DeviceInfo info;
  std::string arch;
  std::string failure;  ///< empty: the self-test passed
};

/// What was found; `broken` when something is there but does not work.
struct Findings {
  std::vector<Gpu> gpus;
  std::string why_no_gpu, why_no_compiler;
  std::string cache_dir;
  bool broken = false;
};

Gpu examine(int index, gpu::Compiler& compiler) {
  Gpu found;
  found.index = index;
  try {
    const gpu::DevicePtr device = gpu::Device::open(index);
    found.info = device->info();
    found.arch = "sm_" + gpu::to_string(device->arch());
    found.failure = gpu::self_test(device, compiler);
  } catch (const Error& error) {
    found.failure = error.what();
  }
  return found;
}

Findings look() {
  gpu::Compiler compiler;
  Findings findings;
  findings.why_no_gpu = gpu::why_no_device();
  findings.why_no_compiler = gpu::why_no_compiler();
  findings.cache_dir = compiler.cache_dir();
  // Without the variable it may be missing: engines bring their kernels along.
  findings.broken = !gpu::compiler_available() && std::getenv("XINFER_NVRTC") != nullptr;
  for (int i = 0; i < gpu::device_count(); ++i) {
    findings.gpus.push_back(examine(i, compiler));
    findings.broken = findings.broken || !findings.gpus.back().failure.empty();
  }
  return findings;
}

std::string cuda_version(int version) { return fmt::format("{}.{}", version / 1000, version % 1000 / 10); }

nlohmann::json json_of(const Findings& findings) {
  nlohmann::json json = {{"version", kVersion},
                         {"cpu", {{"isa", cpu::isa_name()}}},
                         {"compiler",
                          {{"available", gpu::compiler_available()},
                           {"version", gpu::compiler_version()},
                           {"path", gpu::compiler_path()},
                           {"why_not", findings.why_no_compiler}}},
                         {"cache_dir", findings.cache_dir},
                         {"gpus", nlohmann::json::array()},
                         {"why_no_gpu", findings.why_no_gpu},
                         {"ok", !findings.broken}};
  for (const Gpu& gpu : findings.gpus) {
    json["gpus"].push_back({{"index", gpu.index},
                            {"name", gpu.info.name},
                            {"arch", gpu.arch},
                            {"multiprocessors", gpu.info.sm_count},
                            {"memory_bytes", gpu.info.total_memory},
                            {"driver_cuda", cuda_version(gpu.info.driver_version)},
                            {"self_test", gpu.failure.empty() ? "passed" : gpu.failure}});
  }
  return json;
}

std::string text_of(const Findings& findings) {
  std::string text = fmt::format("xinfer    {}\nCPU       {}\n", kVersion, cpu::isa_name());
  if (findings.gpus.empty()) text += fmt::format("GPU       none: {}\n", findings.why_no_gpu);
  for (const Gpu& gpu : findings.gpus) {
    text += fmt::format("GPU {}     {}, {}, {} multiprocessors, {}, driver for CUDA {}\n", gpu.index, gpu.info.name,
                        gpu.arch, gpu.info.sm_count, human_bytes(gpu.info.total_memory),
                        cuda_version(gpu.info.driver_version));
    text += fmt::format("          self-test {}\n", gpu.failure.empty() ? "passed" : "FAILED: " + gpu.failure);
  }
  text += gpu::compiler_available()
              ? fmt::format("compiler  NVRTC {}, {}\n", gpu::compiler_version(), gpu::compiler_path())
              : fmt::format("compiler  none: {}\n", findings.why_no_compiler);
  text += fmt::format("cache     {}\n", findings.cache_dir.empty() ? "none" : findings.cache_dir);
  return text;
}

}  // namespace

void add_doctor(CLI::App& app, Action& action) {
  auto json = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("doctor", "Show what this machine offers and whether it works");
  command->footer(
      "Each GPU compiles and runs a small kernel, whose results are compared with the integer contract.\n"
      "Exits with 0 when all that is there works (a machine without a GPU is fine too), else with 1.\n\n"
      "Examples:\n"
      "  xinfer doctor\n"
      "  xinfer doctor --json | jq '.gpus[].name'");
  command->add_flag("--json", *json, "Print JSON");
  command->callback([json, &action] {
    action = [json] {
      const Findings findings = look();
      print(*json ? json_of(findings).dump(2) + "\n" : text_of(findings));
      return findings.broken ? 1 : 0;
    };
  });
}

}  // namespace xinfer::cli
