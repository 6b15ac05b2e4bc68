#include "core/hash.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <new>
#include <vector>

#include "xinfer/core/errors.h"

namespace xinfer {
namespace {

constexpr std::size_t kFilePiece = std::size_t{1} << 20;

struct FreeState {
  void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
};

}  // namespace

struct Hasher::State {
  std::unique_ptr<XXH3_state_t, FreeState> xxh{XXH3_createState()};
};

Hasher::Hasher() : state_(std::make_unique<State>()) {
  if (state_->xxh == nullptr || XXH3_128bits_reset(state_->xxh.get()) != XXH_OK) {
    throw std::bad_alloc();
  }
}

Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

Hasher& Hasher::update(const void* data, std::size_t size) {
  if (size != 0 && XXH3_128bits_update(state_->xxh.get(), data, size) != XXH_OK) {
    throw Error("hashing failed: no data was given");
  }
  return *this;
}

Hasher& Hasher::update(std::span<const std::byte> bytes) { return update(bytes.data(), bytes.size()); }

Hasher& Hasher::update_string(std::string_view text) {
  // The length goes in as eight little-endian bytes, so that the hash is the same on every machine.
  std::byte length[8];
  for (int i = 0; i < 8; ++i) {
    length[i] = static_cast<std::byte>((static_cast<std::uint64_t>(text.size()) >> (8 * i)) & 0xff);
  }
  return update(std::span<const std::byte>(length)).update(text.data(), text.size());
}

std::string Hasher::hex() const {
  const XXH128_hash_t digest = XXH3_128bits_digest(state_->xxh.get());
  return fmt::format("{:016x}{:016x}", digest.high64, digest.low64);
}

std::string hash_bytes(const void* data, std::size_t size) { return Hasher().update(data, size).hex(); }

std::string hash_bytes(std::span<const std::byte> bytes) { return hash_bytes(bytes.data(), bytes.size()); }

std::string hash_file(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    throw Error(fmt::format("can't read '{}': {}", path.string(), error ? error.message() : "it is not a file"));
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw Error(fmt::format("can't open '{}': {}", path.string(), std::strerror(errno)));
  }
  Hasher hasher;
  std::vector<char> piece(kFilePiece);
  while (file) {
    file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    hasher.update(piece.data(), static_cast<std::size_t>(file.gcount()));
  }
  if (!file.eof()) {
    throw Error(fmt::format("reading '{}' failed half way", path.string()));
  }
  return hasher.hex();
}

}  // namespace xinfer
