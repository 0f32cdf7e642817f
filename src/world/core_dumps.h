// SPDX-License-Identifier: Apache-2.0
// Core dumps without memory.
//
// Secrets could be kept in pages of their own that a core leaves out (MADV_DONTDUMP), but prompts cannot: they pass
// through every buffer of a call. So no page of this process belongs in a core file. The kernel's filter
// (/proc/self/coredump_filter, core(5)) is set to ELF headers only: a crash still leaves the registers and the
// stack pointer of each thread with the build ids of what was loaded, enough to name the function that crashed, and
// gdb's gcore obeys the same filter. The filter passes to child processes. PR_SET_DUMPABLE 0 would forbid the file
// altogether, but also take /proc/PID from the operator who looks at descriptors or memory.
#pragma once

namespace portolan::world {

/// Call first in main. Where the kernel has no such filter, cores are switched off (RLIMIT_CORE and
/// PR_SET_DUMPABLE). False when neither can be done.
bool keep_memory_out_of_core_dumps();

}  // namespace portolan::world
