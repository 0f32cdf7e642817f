// SPDX-License-Identifier: Apache-2.0
// Result<T>: a value or an Error, and the two macros that pass the Error up.
#pragma once

#include <expected>
#include <utility>

#include "base/error.h"

namespace portolan::base {

template <class T = void>
using Result = std::expected<T, Error>;

/// `return fail(Code::invalid_field, "max_tokens: …");`
inline std::unexpected<Error> fail(Code code, std::string message, Duration retry_after = {}) {
  return std::unexpected(error(code, std::move(message), retry_after));
}
inline std::unexpected<Error> fail(Error error) {
  return std::unexpected(std::move(error));
}

}  // namespace portolan::base

#define PORTOLAN_CONCAT_INNER(a, b) a##b
#define PORTOLAN_CONCAT(a, b) PORTOLAN_CONCAT_INNER(a, b)

/// `TRY(auto x, f());` — x is f()'s value, or this function returns f()'s Error.
#define TRY(declaration, expression) TRY_NAMED(PORTOLAN_CONCAT(try_result_, __LINE__), declaration, expression)
#define TRY_NAMED(name, declaration, expression)              \
  auto name = (expression);                                   \
  if (!name) return std::unexpected(std::move(name).error()); \
  declaration = *std::move(name)

/// `TRY_VOID(f());` — the same for Result<void>.
#define TRY_VOID(expression)                                      \
  do {                                                            \
    if (auto try_void_result = (expression); !try_void_result)    \
      return std::unexpected(std::move(try_void_result).error()); \
  } while (false)

/// `CO_TRY(auto x, co_await f());` — the same inside a coroutine.
#define CO_TRY(declaration, expression) \
  CO_TRY_NAMED(PORTOLAN_CONCAT(try_result_, __LINE__), declaration, expression)
#define CO_TRY_NAMED(name, declaration, expression)              \
  auto name = (expression);                                      \
  if (!name) co_return std::unexpected(std::move(name).error()); \
  declaration = *std::move(name)

#define CO_TRY_VOID(expression)                                      \
  do {                                                               \
    if (auto try_void_result = (expression); !try_void_result)       \
      co_return std::unexpected(std::move(try_void_result).error()); \
  } while (false)
