#include "gpu/kernel_cache.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "core/file.h"
#include "core/hash.h"
#include "xinfer/core/errors.h"

namespace xinfer::gpu {
namespace {

// A file: these 8 bytes, 32 hex digits of the hash of name and code, the code.
constexpr std::string_view kMagic = "XICUBIN1";
constexpr std::size_t kHeader = 8 + 32;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string folder_for(const std::string& wanted) {
  if (wanted == "-") return {};
  if (!wanted.empty()) return wanted;
  if (std::string own = variable("XINFER_CACHE_DIR"); !own.empty()) return own == "-" ? "" : own;
  if (const std::string cache = variable("XDG_CACHE_HOME"); !cache.empty()) return cache + "/xinfer";
  if (const std::string home = variable("HOME"); !home.empty()) return home + "/.cache/xinfer";
  return {};
}

std::string digest(const std::string& name, std::string_view code) {
  return Hasher().update_string(name).update_string(code).hex();
}

}  // namespace

KernelCache::KernelCache(const std::string& folder) : folder_(folder_for(folder)) {}

std::string KernelCache::path_of(const std::string& name) const { return folder_ + "/" + name + ".cubin"; }

std::optional<std::vector<std::byte>> KernelCache::load(const std::string& name) const {
  if (folder_.empty()) return std::nullopt;
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path_of(name), ignored)) return std::nullopt;
  std::string file;
  try {
    file = read_file(path_of(name));
  } catch (const Error&) {
    return std::nullopt;  // removed in between, or not ours to read: made anew
  }
  const std::string_view text = file;
  if (text.size() <= kHeader || !text.starts_with(kMagic)) return std::nullopt;
  const std::string_view code = text.substr(kHeader);
  if (text.substr(kMagic.size(), kHeader - kMagic.size()) != digest(name, code)) return std::nullopt;
  std::vector<std::byte> bytes(code.size());
  std::memcpy(bytes.data(), code.data(), code.size());
  return bytes;
}

std::vector<std::string> KernelCache::names(std::string_view prefix) const {
  std::vector<std::string> names;
  std::error_code failed;  // a folder that can't be read holds nothing for us
  for (std::filesystem::directory_iterator entry(folder_, failed), end; !failed && entry != end;
       entry.increment(failed)) {
    const std::filesystem::path path = entry->path().filename();
    if (path.extension() == ".cubin" && path.stem().string().starts_with(prefix)) names.push_back(path.stem().string());
  }
  std::ranges::sort(names);
  return names;
}

bool KernelCache::store(const std::string& name, std::span<const std::byte> code) const {
  if (folder_.empty()) return false;
  std::error_code failed;
  std::filesystem::create_directories(folder_, failed);
  if (failed) return false;
  const std::string_view text(reinterpret_cast<const char*>(code.data()), code.size());  // NOLINT: bytes as characters
  const std::string hash = digest(name, text);
  const std::string_view parts[] = {kMagic, hash, text};
  try {
    write_file_atomically(path_of(name), parts);
  } catch (const Error&) {
    return false;
  }
  return true;
}

// One lock file for the folder; each name locks one byte of it, chosen by its hash, so that nothing piles up and
// different names hardly ever wait for each other. Such locks belong to the open file, hence also keep threads apart.
KernelCache::Lock::Lock(const KernelCache& cache, const std::string& name) {
  if (cache.folder().empty()) return;
  std::error_code failed;
  std::filesystem::create_directories(cache.folder(), failed);
  if (failed) return;
  fd_ = ::open((cache.folder() + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd_ < 0) return;  // a folder that can't be written: everybody makes his own
  struct flock range {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  range.l_start = static_cast<off_t>(std::stoull(hash_bytes(name.data(), name.size()).substr(0, 15), nullptr, 16));
  range.l_len = 1;
  while (::fcntl(fd_, F_OFD_SETLKW, &range) != 0 && errno == EINTR) {
  }
}

KernelCache::Lock::~Lock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace xinfer::gpu
