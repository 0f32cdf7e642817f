// SPDX-License-Identifier: Apache-2.0
// Writing text into JSON by hand, for the append-only writers of the call path (records, error bodies, log lines).
// Safe for any bytes a caller can send. All functions are pure; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace portolan::base {

/// Appends `text` as a JSON string with its quotes. The result is always valid JSON and valid UTF-8: quotes,
/// backslashes and control characters are escaped, each byte that is not part of well-formed UTF-8 (RFC 3629:
/// overlong forms, surrogates and code points beyond U+10FFFF are not) becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);

/// The same without the quotes around it.
void append_json_escaped(std::string& out, std::string_view text);

/// Appends the character in UTF-8. `point` is a code point, and no surrogate.
void append_utf8(std::string& out, char32_t point);

/// The first `bytes_max` bytes of `text`, or up to three fewer so that no well-formed character is cut in two.
std::string_view cut_text(std::string_view text, std::size_t bytes_max);

}  // namespace portolan::base
