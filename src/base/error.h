// SPDX-License-Identifier: Apache-2.0
// What went wrong, who is to blame and what may be done about it.
//
// An Error travels as a value in Result<T> (result.h). The code names a row of error_codes.def; the message is one
// sentence a person can act on and never holds a secret or a prompt. Nothing on the path of a call throws.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/time.h"

namespace portolan::base {

enum class Code : std::uint8_t {
#define PORTOLAN_ERROR(code, ...) code,
#include "base/error_codes.def"
#undef PORTOLAN_ERROR
};

/// Who has to change something for the same call to succeed.
enum class Blame : std::uint8_t { caller, operator_, gateway, upstream };

/// What may be done next. `retry_elsewhere`: another Region may succeed now. `slow_down`: nobody will, for a while.
enum class Remedy : std::uint8_t { give_up, retry_here, retry_elsewhere, slow_down };

/// A row of the error table.
struct CodeFacts {
  std::string_view name;
  Blame blame;
  Remedy remedy;
  int bedrock_status;
  std::string_view bedrock_type;
  int openai_status;
  std::string_view openai_type;
};

/// The row of `code`. Any thread; never fails.
const CodeFacts& facts(Code code);

std::string_view name(Blame blame);
std::string_view name(Remedy remedy);

struct Error {
  Code code = Code::internal;
  std::string message;
  /// When the remedy is to wait: how long, from the moment the Error was made. Zero when unknown.
  Duration retry_after{};
  /// The message holds words of a Region, which may quote the prompt: for the caller, whose prompt it is, and for
  /// nobody else. Records and logs leave it out.
  bool quotes_upstream = false;

  const CodeFacts& facts() const { return base::facts(code); }
};

inline Error error(Code code, std::string message, Duration retry_after = {}) {
  return Error{.code = code, .message = std::move(message), .retry_after = retry_after};
}

/// An Error that tells, after `what`, the words of the one that led to it; what they quote it quotes too.
inline Error error_after(const Error& cause, Code code, std::string_view what, Duration retry_after = {}) {
  return Error{.code = code,
               .message = std::string(what) + cause.message,
               .retry_after = retry_after,
               .quotes_upstream = cause.quotes_upstream};
}

}  // namespace portolan::base
