#pragma once
// Whole files: reading, mapping, and writing so that a failure leaves nothing half-written.

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace xinfer {

/// Reads a whole regular file. Throws Error naming the path and the system's reason (missing, a directory, unreadable).
std::string read_file(const std::string& path);

/// Writes `parts` one after another to a temporary file beside `path`, syncs it, and renames it to `path`. A path that
/// is not a regular file (a device, a pipe) is written directly. Throws Error naming the path and the reason, with the
/// temporary file removed.
void write_file_atomically(const std::string& path, std::span<const std::string_view> parts);
inline void write_file_atomically(const std::string& path, std::string_view text) {
  write_file_atomically(path, std::span<const std::string_view>(&text, 1));
}

/// Throws Error now if `path` could not be created later: its folder is missing or not writable, or it is a folder.
void check_writable(const std::string& path);

/// A file mapped read-only into memory. The mapping lives as long as a copy of `owner()`.
class MappedFile {
 public:
  /// Throws Error as read_file does.
  explicit MappedFile(const std::string& path);
  std::span<const std::byte> bytes() const { return bytes_; }
  std::shared_ptr<const void> owner() const { return owner_; }

 private:
  std::span<const std::byte> bytes_;
  std::shared_ptr<const void> owner_;
};

}  // namespace xinfer
