// SPDX-License-Identifier: Apache-2.0
// The grammar of single JSON tokens (RFC 8259, sections 6 and 7), for readers that walk a document without building
// it.
//
// simdjson's first stage finds where tokens begin and leaves open what is inside them. Its later stages would copy
// every string; these functions only look. All are pure; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace portolan::wire {

/// How many bytes of UTF-8 the string stands for. `token` is a whole string with its quotes, without raw control
/// characters (simdjson's first stage refuses them). nullopt when an escape is broken.
std::optional<std::size_t> decoded_bytes(std::string_view token);

/// The UTF-8 that the string stands for; a lone surrogate becomes U+FFFD. Only for tokens that have
/// decoded_bytes().
std::string decode(std::string_view token);

/// Whether `token` is exactly one number.
bool is_number(std::string_view token);

/// `token` without the white space behind it.
std::string_view without_trailing_space(std::string_view token);

}  // namespace portolan::wire
