#pragma once
// Content hashes for provenance: which model, which images, which bytes of a file.

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace xinfer {

/// Streaming XXH3 hash of 128 bits.
///
/// It finds accidental changes (another file, a damaged section, an edited image). It is not cryptographic: whoever
/// wants to can build two inputs of one hash, so never trust it against an attacker. One object belongs to one thread.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;

  /// Appends raw bytes. Where the pieces are cut has no influence on the result.
  Hasher& update(std::span<const std::byte> bytes);
  Hasher& update(const void* data, std::size_t size);
  /// Appends the length and the characters, so that ("ab", "c") and ("a", "bc") differ.
  Hasher& update_string(std::string_view text);

  /// 32 lower-case hex digits of everything appended so far; more may be appended afterwards.
  std::string hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// hex() of one block of memory.
std::string hash_bytes(std::span<const std::byte> bytes);
std::string hash_bytes(const void* data, std::size_t size);

/// hex() of a file's contents, read in pieces. Throws Error when it can't be read.
std::string hash_file(const std::filesystem::path& path);

}  // namespace xinfer
