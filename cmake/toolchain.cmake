# SPDX-License-Identifier: Apache-2.0
# Flags that hold for every room. Clang 19 is the compiler: docs/adr/0001-clang-19-and-cxx23.md says why.
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang" OR CMAKE_CXX_COMPILER_VERSION VERSION_LESS 19)
  message(FATAL_ERROR "Portolan is built with clang 19 or newer (found ${CMAKE_CXX_COMPILER_ID} "
                      "${CMAKE_CXX_COMPILER_VERSION}). Run ./dev setup, then ./dev build.")
endif()

option(PORTOLAN_FUZZ "Build the libFuzzer targets" OFF)
# A room's files six at a time: half the time for a first build, three times the time after a small change.
option(PORTOLAN_UNITY "Compile the files of a room together, as CI and clang-tidy do" OFF)
option(PORTOLAN_COVERAGE "Count which lines run" OFF)
set(PORTOLAN_SANITIZE "" CACHE STRING "Comma-separated sanitizers, as for -fsanitize=")

find_program(PORTOLAN_CCACHE ccache)
if(PORTOLAN_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${PORTOLAN_CCACHE})
endif()

# RelWithDebInfo is what ships: optimised, with line tables small enough to keep linking quick, and without the name of
# the folder it was built in, so that the same commit gives the same bytes anywhere.
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG -ffile-prefix-map=${PROJECT_SOURCE_DIR}=/portolan")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1 -fno-omit-frame-pointer -DPORTOLAN_DCHECK=1")
# -Wmissing-field-initializers stays off: a designated initializer that leaves the rest at their defaults is our
# normal way to build a value.
add_compile_options(-Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Wcast-qual
  -Wno-missing-field-initializers -Wno-missing-designated-field-initializers -Wno-c23-extensions -Werror
  -fstack-protector-strong -fstack-clash-protection -fcf-protection)
if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
  add_compile_definitions(_FORTIFY_SOURCE=2)
endif()
add_link_options(-fuse-ld=lld -Wl,-z,relro,-z,now)
if(PORTOLAN_SANITIZE)
  # Clang cannot place the function sanitizer's prologue in coroutines (facts of the toolchain, measured).
  add_compile_options(-fsanitize=${PORTOLAN_SANITIZE} -fno-sanitize=function -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=${PORTOLAN_SANITIZE} -fno-sanitize=function)
endif()
if(PORTOLAN_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(PORTOLAN_COVERAGE)
  add_compile_options(-fprofile-instr-generate -fcoverage-mapping)
  add_link_options(-fprofile-instr-generate)
endif()
