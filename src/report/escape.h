#pragma once
// Text of any origin made safe to stand in a page: names of nodes, tensors and files are whatever the model's author
// wrote.

#include <string>
#include <string_view>

namespace xinfer::report {

/// Valid UTF-8 without control characters: each byte that is not part of a well-formed sequence (RFC 3629: no overlong
/// forms, no surrogates), and each control character but tab and newline, becomes U+FFFD.
std::string clean_utf8(std::string_view text);

/// clean_utf8() with & < > " ' as character references: safe as HTML text and inside a quoted attribute.
std::string escape(std::string_view text);

/// Base64 with padding (RFC 4648, section 4).
std::string base64(std::string_view bytes);

/// The part of a path after its last slash.
std::string_view file_name(std::string_view path);

}  // namespace xinfer::report
