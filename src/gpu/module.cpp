#include "gpu/module.h"

#include <fmt/format.h>

#include <utility>

#include "gpu/driver_api.h"
#include "xinfer/core/errors.h"

namespace xinfer::gpu {
namespace {

constexpr std::uint32_t kDefaultDynamicShared = 48 * 1024;

bool runs_on(Arch arch, const DeviceInfo& info) {
  if (arch.specific) return arch.number == 10 * info.major + info.minor;
  return arch.number / 10 == info.major && arch.number % 10 <= info.minor;
}

/// Bytes of each parameter, as the kernel was compiled; empty where the driver can't tell.
std::vector<std::size_t> parameters_of(void* function) {
  std::vector<std::size_t> parameters;
  const DriverApi& api = driver();
  if (api.cuFuncGetParamInfo == nullptr) return parameters;
  std::size_t offset = 0;
  std::size_t size = 0;
  // Past the last one the driver answers "invalid value".
  while (api.cuFuncGetParamInfo(function, parameters.size(), &offset, &size) == cu::kSuccess) {
    parameters.push_back(size);
  }
  return parameters;
}

}  // namespace

LoadedKernel::LoadedKernel(DevicePtr device, CubinPtr cubin, std::string entry)
    : device_(std::move(device)), cubin_(std::move(cubin)), entry_(std::move(entry)) {
  if (!runs_on(cubin_->arch, device_->info())) {
    throw DeviceError(fmt::format("kernel {} was compiled for sm_{}, but {} is sm_{}{}", entry_,
                                  to_string(cubin_->arch), device_->info().name, device_->info().major,
                                  device_->info().minor));
  }
  device_->make_current();
  const DriverApi& api = driver();
  check(api.cuModuleLoadData(&module_, cubin_->code.data()), "cuModuleLoadData", "kernel " + entry_);
  try {
    check(api.cuModuleGetFunction(&function_, module_, entry_.c_str()), "cuModuleGetFunction", "kernel " + entry_);
    const auto attribute = [&](int id) {
      int value = 0;
      check(api.cuFuncGetAttribute(&value, id, function_), "cuFuncGetAttribute", "kernel " + entry_);
      return value;
    };
    registers_ = attribute(cu::kNumRegs);
    local_bytes_ = attribute(cu::kLocalSizeBytes);
    shared_bytes_ = attribute(cu::kSharedSizeBytes);
    max_threads_ = attribute(cu::kMaxThreadsPerBlock);
    parameters_ = parameters_of(function_);
  } catch (...) {
    (void)api.cuModuleUnload(module_);
    throw;
  }
}

LoadedKernel::~LoadedKernel() {
  if (device_->try_make_current()) (void)driver().cuModuleUnload(module_);
}

void LoadedKernel::allow_shared(std::uint32_t bytes) const {
  const std::scoped_lock lock(mutex_);
  if (bytes <= allowed_shared_) return;
  check(driver().cuFuncSetAttribute(function_, cu::kMaxDynamicSharedSizeBytes, static_cast<int>(bytes)),
        "cuFuncSetAttribute",
        fmt::format("kernel {} wants {} bytes of dynamic shared memory and {} of static; a block of {} may have {}",
                    entry_, bytes, shared_bytes_, device_->info().name, device_->info().shared_limit));
  allowed_shared_ = bytes;
}

void LoadedKernel::check_arguments(const KernelArgs& args) const {
  if (parameters_.empty()) return;
  const auto offsets = args.offsets();
  if (offsets.size() != parameters_.size()) {
    throw DeviceError(
        fmt::format("kernel {} takes {} arguments, but was given {}", entry_, parameters_.size(), offsets.size()));
  }
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    // Each is passed by its own address, so only its size counts.
    const std::size_t end = i + 1 < offsets.size() ? offsets[i + 1] : args.bytes().size();
    if (end - offsets[i] < parameters_[i]) {
      throw DeviceError(fmt::format("argument {} of kernel {} has {} bytes; the kernel expects {}", i, entry_,
                                    end - offsets[i], parameters_[i]));
    }
  }
}

void LoadedKernel::launch(Stream& stream, const Launch& launch) const {
  if (launch.grid.x == 0 || launch.grid.y == 0 || launch.grid.z == 0) return;
  check_arguments(launch.args);
  device_->make_current();
  if (launch.shared_bytes + static_cast<std::uint32_t>(shared_bytes_) > kDefaultDynamicShared) {
    allow_shared(launch.shared_bytes);
  }
  cu::LaunchAttribute attribute;
  attribute.id = cu::kProgrammaticStreamSerialization;
  attribute.value.programmatic_serialization_allowed = 1;
  cu::LaunchConfig config{.grid_x = launch.grid.x,
                          .grid_y = launch.grid.y,
                          .grid_z = launch.grid.z,
                          .block_x = launch.block.x,
                          .block_y = launch.block.y,
                          .block_z = launch.block.z,
                          .shared_bytes = launch.shared_bytes,
                          .stream = stream.handle()};
  if (launch.dependent && device_->info().major >= 9) {
    config.attributes = &attribute;
    config.attribute_count = 1;
  }
  // The driver copies the arguments before it returns; it only takes pointers to non-const.
  std::vector<void*> arguments;
  arguments.reserve(launch.args.offsets().size());
  for (const std::size_t offset : launch.args.offsets()) {
    arguments.push_back(const_cast<std::byte*>(launch.args.bytes().data() + offset));
  }
  const cu::Result result = driver().cuLaunchKernelEx(&config, function_, arguments.data(), nullptr);
  if (result == cu::kSuccess) return;
  check(result, "cuLaunchKernelEx",
        fmt::format("kernel {}, grid {}x{}x{}, block {}x{}x{} of at most {} threads, {} bytes of shared memory", entry_,
                    launch.grid.x, launch.grid.y, launch.grid.z, launch.block.x, launch.block.y, launch.block.z,
                    max_threads_, launch.shared_bytes));
}

std::shared_ptr<const LoadedKernel> load(const DevicePtr& device, CubinPtr cubin, const std::string& entry) {
  return std::shared_ptr<const LoadedKernel>(new LoadedKernel(device, std::move(cubin), entry));
}

}  // namespace xinfer::gpu
