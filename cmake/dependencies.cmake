# SPDX-License-Identifier: Apache-2.0
# Debian packages only; ./dev setup installs them. Each room says which of them it links (src/CMakeLists.txt).
find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(Boost 1.81 EXACT REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(yaml-cpp 0.7 REQUIRED)
find_package(CLI11 2.1 REQUIRED)
find_package(fmt 9 REQUIRED)
find_package(simdjson 3 REQUIRED)
find_package(SQLite3 3.40 REQUIRED)
find_package(GTest 1.12 REQUIRED)
find_package(benchmark 1.7 REQUIRED)
find_package(mimalloc 2.0 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(NGHTTP2 REQUIRED IMPORTED_TARGET libnghttp2>=1.52)

add_library(portolan_asio INTERFACE)
target_link_libraries(portolan_asio INTERFACE Boost::headers Threads::Threads)
target_compile_definitions(portolan_asio INTERFACE BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_REGEX
  # Frames of finished coroutines are kept for reuse; a call uses more of them than the default of two.
  BOOST_ASIO_RECYCLING_ALLOCATOR_CACHE_SIZE=16)
# Third-party headers are not ours to warn about.
set_target_properties(Boost::headers PROPERTIES SYSTEM TRUE)
