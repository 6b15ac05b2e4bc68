#include "onnx/external_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "xinfer/core/errors.h"

namespace xinfer::onnx {
namespace {

std::size_t parse_size(const std::string& text, const std::string& tensor, const char* what) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw ModelError(fmt::format("tensor '{}': external data has a bad {} '{}'", tensor, what, text));
  }
  return value;
}

}  // namespace

const MappedFile& ExternalData::open(const std::string& tensor, const std::string& location) {
  const auto found = files_.find(location);
  if (found != files_.end()) return found->second;
  const std::filesystem::path relative(location);
  const bool climbs = std::find(relative.begin(), relative.end(), "..") != relative.end();
  if (location.empty() || relative.is_absolute() || climbs || location.find('\0') != std::string::npos) {
    throw ModelError(fmt::format("tensor '{}': external data location '{}' is not allowed", tensor, location),
                     "external data must lie in the model's folder, named by a relative path without '..'");
  }
  std::error_code error;
  const auto folder = std::filesystem::canonical(folder_->empty() ? "." : *folder_, error);
  const auto target = error ? std::filesystem::path() : std::filesystem::canonical(folder / relative, error);
  if (error) {
    throw ModelError(fmt::format("tensor '{}': external data file '{}' can't be opened: {}", tensor,
                                 (*folder_ / relative).string(), error.message()),
                     "copy the data file beside the model");
  }
  if (std::mismatch(folder.begin(), folder.end(), target.begin(), target.end()).first != folder.end()) {
    throw ModelError(fmt::format("tensor '{}': external data location '{}' leads out of the model's folder through a "
                                 "symbolic link",
                                 tensor, location),
                     "copy the data file beside the model");
  }
  try {
    return files_.emplace(location, MappedFile(target.string())).first->second;
  } catch (const Error& problem) {
    throw ModelError(fmt::format("tensor '{}': external data: {}", tensor, problem.what()));
  }
}

std::span<const std::byte> ExternalData::bytes(const TensorProto& tensor, std::size_t expected) {
  const std::string& name = tensor.name();
  if (!folder_) {
    throw ModelError(fmt::format("tensor '{}' lies in an external file, but the model was given from memory", name),
                     "give the model as a file, or embed its weights");
  }
  std::string location;
  std::size_t offset = 0;
  std::optional<std::size_t> length;
  for (const auto& entry : tensor.external_data()) {
    if (entry.key() == "location") location = entry.value();
    if (entry.key() == "offset") offset = parse_size(entry.value(), name, "offset");
    if (entry.key() == "length") length = parse_size(entry.value(), name, "length");
  }
  const auto all = open(name, location).bytes();
  const std::size_t available = offset <= all.size() ? all.size() - offset : 0;
  const std::size_t size = length.value_or(available);
  if (size > available || offset > all.size()) {
    throw ModelError(
        fmt::format("tensor '{}': external data file '{}' has {} bytes, too few for offset {} and length {}", name,
                    location, all.size(), offset, size),
        "the data file may be cut off; copy it again");
  }
  if (size != expected) {
    throw ModelError(
        fmt::format("tensor '{}': external data has {} bytes where its type and shape need {}", name, size, expected));
  }
  return all.subspan(offset, size);
}

}  // namespace xinfer::onnx
