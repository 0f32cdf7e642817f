# SPDX-License-Identifier: Apache-2.0
# A room of the house is a folder of src/ and one library, with exactly the links it may have.
#
# Includes are written from src/ (`#include "route/plan.h"`), yet a room sees only the rooms it links: each room
# exports an include directory of its own that holds nothing but a link to that one folder. A forbidden include
# therefore fails to compile; no review has to catch it.

# portolan_room(NAME [LINKS room...] [LIBRARIES target...])
# Library portolan_NAME from NAME/*.cc; test NAME_test from NAME/*_test.cc; one fuzz target for each NAME/*_fuzz.cc.
function(portolan_room name)
  cmake_parse_arguments(ROOM "" "" "LINKS;LIBRARIES;TEST_LINKS;TEST_LIBRARIES" ${ARGN})
  set(folder ${CMAKE_CURRENT_SOURCE_DIR}/${name})
  set(include_root ${CMAKE_BINARY_DIR}/rooms/${name})
  file(MAKE_DIRECTORY ${include_root})
  file(CREATE_LINK ${folder} ${include_root}/${name} SYMBOLIC)

  file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.cc)
  file(GLOB tests CONFIGURE_DEPENDS ${folder}/*_test.cc)
  file(GLOB fuzzers CONFIGURE_DEPENDS ${folder}/*_fuzz.cc)
  file(GLOB benches CONFIGURE_DEPENDS ${folder}/*_bench.cc)
  set(apart ${tests} ${fuzzers} ${benches})
  if(apart)
    list(REMOVE_ITEM sources ${apart})
  endif()

  list(TRANSFORM ROOM_LINKS PREPEND portolan_)
  list(TRANSFORM ROOM_TEST_LINKS PREPEND portolan_)
  if(sources)
    add_library(portolan_${name} STATIC ${sources})
    set(scope PUBLIC)
  else()
    add_library(portolan_${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(portolan_${name} ${scope} ${include_root})
  target_link_libraries(portolan_${name} ${scope} ${ROOM_LINKS} ${ROOM_LIBRARIES})

  if(tests AND NOT PORTOLAN_FUZZ)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE portolan_${name} ${ROOM_TEST_LINKS} ${ROOM_TEST_LIBRARIES}
      GTest::gmock GTest::gtest_main)
    target_compile_definitions(${name}_test PRIVATE PORTOLAN_TESTDATA="${PROJECT_SOURCE_DIR}/testdata")
    add_test(NAME ${name} COMMAND ${name}_test)
    set_tests_properties(${name} PROPERTIES TIMEOUT 300)
  endif()
  if(PORTOLAN_FUZZ)
    foreach(fuzzer ${fuzzers})
      get_filename_component(target ${fuzzer} NAME_WE)
      add_executable(${target} ${fuzzer})
      target_link_libraries(${target} PRIVATE portolan_${name} ${ROOM_TEST_LINKS})
      target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    endforeach()
  elseif(fuzzers)
    # Outside the fuzz preset the same targets replay their corpus as an ordinary test.
    foreach(fuzzer ${fuzzers})
      get_filename_component(target ${fuzzer} NAME_WE)
      add_executable(${target}_replay ${fuzzer} ${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.cc)
      target_link_libraries(${target}_replay PRIVATE portolan_${name} ${ROOM_TEST_LINKS})
      add_test(NAME ${target}_replay COMMAND ${target}_replay ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${target})
      set_tests_properties(${target}_replay PROPERTIES TIMEOUT 120)
    endforeach()
  endif()
  if(benches AND NOT PORTOLAN_SANITIZE)
    add_executable(${name}_bench ${benches})
    target_link_libraries(${name}_bench PRIVATE portolan_${name} ${ROOM_TEST_LINKS} benchmark::benchmark benchmark::benchmark_main)
  endif()
endfunction()
