#include "builders/environment.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>
#include <fstream>
#include <string>
#include <thread>

#include "cpu/program.h"
#include "gpu/device.h"
#include "xinfer/core/version.h"

namespace xinfer::builders {
namespace {

/// What follows `key` and a separator in the first such line of a file of the system.
std::string field(const char* path, const std::string& key, char separator) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(key, 0) != 0) continue;
    const std::size_t at = line.find(separator);
    if (at == std::string::npos) continue;
    const std::size_t begin = line.find_first_not_of(" \t\"", at + 1);
    const std::size_t end = line.find_last_not_of(" \t\"");
    if (begin != std::string::npos) return line.substr(begin, end - begin + 1);
  }
  return "";
}

}  // namespace

Environment look_around(int threads) {
  Environment environment;
  environment.xinfer = kVersion;
  const std::string model = field("/proc/cpuinfo", "model name", ':');
  environment.cpu = model.empty() ? std::string(cpu::isa_name()) : fmt::format("{} ({})", model, cpu::isa_name());
  if (gpu::device_count() > 0) environment.gpu = gpu::Device::open()->info().name;
  environment.os = field("/etc/os-release", "PRETTY_NAME", '=');
  environment.threads = threads > 0 ? threads : static_cast<int>(std::thread::hardware_concurrency());
  environment.date = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  return environment;
}

}  // namespace xinfer::builders
