// SPDX-License-Identifier: Apache-2.0
// Three checks, one sentence each.
//
// CHECK    cannot be false in a correct program; the process stops, in release too.
// DCHECK   the same where the test costs something: debug, sanitizer and simulation builds only.
// Never check what the network, a file or a configuration may do: that is a Result.
#pragma once

namespace portolan::base {
[[noreturn]] void check_failed(const char* what, const char* file, int line);
}

#define CHECK(condition) \
  (__builtin_expect(!(condition), 0) ? ::portolan::base::check_failed(#condition, __FILE__, __LINE__) : void())
#ifdef PORTOLAN_DCHECK
#define DCHECK(condition) CHECK(condition)
#else
#define DCHECK(condition) void(sizeof(!(condition)))
#endif
