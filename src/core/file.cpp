#include "core/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "xinfer/core/errors.h"

namespace xinfer {
namespace {

[[noreturn]] void fail(const std::string& action, const std::string& path, int error, const std::string& hint = "") {
  throw Error(fmt::format("could not {} '{}': {}", action, path, std::strerror(error)), hint);
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }
  int get() const { return fd_; }
  /// 0, or the errno of a close that failed: some file systems report a full disk only here.
  int close() {
    const int fd = std::exchange(fd_, -1);
    return fd < 0 || ::close(fd) == 0 ? 0 : errno;
  }

 private:
  int fd_;
};

std::size_t open_regular(const std::string& path, Descriptor& fd) {
  if (fd.get() < 0) fail("read", path, errno);
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) fail("read", path, errno);
  if (S_ISDIR(info.st_mode)) fail("read", path, EISDIR);
  if (!S_ISREG(info.st_mode)) throw Error(fmt::format("could not read '{}': it is not a regular file", path));
  return static_cast<std::size_t>(info.st_size);
}

void write_all(int fd, std::string_view data, const std::string& path) {
  while (!data.empty()) {
    const ssize_t written = ::write(fd, data.data(), std::min<std::size_t>(data.size(), 1U << 30));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("write", path, errno, errno == ENOSPC ? "free some space and try again" : "");
    data.remove_prefix(static_cast<std::size_t>(written));
  }
}

bool is_special(const std::string& path) {
  std::error_code ignored;
  const auto status = std::filesystem::status(path, ignored);
  return std::filesystem::exists(status) && !std::filesystem::is_regular_file(status) &&
         !std::filesystem::is_directory(status);
}

std::string folder_of(const std::string& path) {
  const auto parent = std::filesystem::path(path).parent_path();
  return parent.empty() ? "." : parent.string();
}

}  // namespace

std::string read_file(const std::string& path) {
  Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text(open_regular(path, fd), '\0');
  std::size_t have = 0;
  while (have < text.size()) {
    const ssize_t got = ::read(fd.get(), text.data() + have, text.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("read", path, errno);
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  text.resize(have);
  return text;
}

void write_file_atomically(const std::string& path, std::span<const std::string_view> parts) {
  if (is_special(path)) {
    Descriptor fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (fd.get() < 0) fail("write", path, errno);
    for (const std::string_view part : parts) write_all(fd.get(), part, path);
    if (const int error = fd.close()) fail("write", path, error);
    return;
  }
  check_writable(path);
  std::string temporary = path + ".XXXXXX";
  Descriptor fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (fd.get() < 0) fail("write", path, errno);
  try {
    for (const std::string_view part : parts) write_all(fd.get(), part, path);
    const mode_t mask = ::umask(0);
    ::umask(mask);
    if (::fchmod(fd.get(), 0666 & ~mask) != 0 || ::fsync(fd.get()) != 0) fail("write", path, errno);
    if (const int error = fd.close()) fail("write", path, error);
    if (::rename(temporary.c_str(), path.c_str()) != 0) fail("write", path, errno);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
}

void check_writable(const std::string& path) {
  if (path.empty()) throw Error("the output path is empty");
  if (is_special(path)) {
    if (::access(path.c_str(), W_OK) != 0) fail("write", path, errno);
    return;
  }
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) fail("write", path, EISDIR);
  const std::string folder = folder_of(path);
  if (::access(folder.c_str(), F_OK) != 0) {
    throw Error(fmt::format("could not write '{}': the folder '{}' does not exist", path, folder), "create it first");
  }
  if (::access(folder.c_str(), W_OK) != 0) fail("write", path, errno);
}

MappedFile::MappedFile(const std::string& path) {
  Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const std::size_t size = open_regular(path, fd);
  if (size == 0) return;
  void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (memory == MAP_FAILED) fail("map", path, errno);
  owner_ = std::shared_ptr<const void>(memory, [size](const void* p) { ::munmap(const_cast<void*>(p), size); });
  bytes_ = {static_cast<const std::byte*>(memory), size};
}

}  // namespace xinfer
