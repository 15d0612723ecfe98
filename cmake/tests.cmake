# Every test/unit/*_test.c and test/virtual/*_test.c is one program under CTest, every fuzz/*_fuzz.c one more that replays
# its corpus. Tests run from the top of the source tree.
#
# A test may carry further labels, on a line of its own near its top:   /* labels: threads */

pkg_check_modules(cmocka IMPORTED_TARGET cmocka)
if(NOT cmocka_FOUND)
  message(FATAL_ERROR "The development files of cmocka are missing. Run `tools/setup.sh test`, which installs them.")
endif()

# Sets OUT to LABEL and the labels that SOURCE names itself.
function(labels_of source label out)
  file(STRINGS "${source}" lines REGEX "^/\\* labels: [a-z ]+ \\*/$" LIMIT_COUNT 1)
  string(REGEX REPLACE "^/\\* labels: ([a-z ]+) \\*/$" "\\1" more "${lines}")
  separate_arguments(more)
  set(${out} ${label} ${more} PARENT_SCOPE)
endfunction()

# One program for each *_test.c in FOLDER, with the folder's other sources as their helpers.
function(add_tests_in folder label)
  file(GLOB helpers CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/${folder}/*.c")
  file(GLOB tests CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/${folder}/*_test.c")
  list(REMOVE_ITEM helpers "" ${tests})
  if(helpers)
    add_library(${label}_helpers STATIC ${helpers})
    target_link_libraries(${label}_helpers PUBLIC equipoise_core PkgConfig::cmocka)
  endif()

  foreach(test ${tests})
    cmake_path(GET test STEM name)
    add_executable(${label}_${name} "${test}")
    target_link_libraries(${label}_${name} PRIVATE equipoise_core PkgConfig::cmocka)
    if(helpers)
      target_link_libraries(${label}_${name} PRIVATE ${label}_helpers)
    endif()
    labels_of("${test}" ${label} labels)
    add_test(NAME ${label}/${name} COMMAND ${label}_${name} WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
    set_tests_properties(${label}/${name} PROPERTIES LABELS "${labels}" TIMEOUT 600)
    if(threads IN_LIST labels)
      add_dependencies(thread_tests ${label}_${name})
    endif()
  endforeach()
endfunction()

# fuzz/NAME_fuzz.c with libFuzzer, or with fuzz/driver.c, which runs the files of fuzz/corpus/NAME as they are, and each a
# number of times with something changed in it.
set(EQUIPOISE_FUZZ_CHANGES 400 CACHE STRING "How often a seed is changed and run by a fuzz target's test")

function(add_fuzz_targets)
  file(GLOB targets CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/fuzz/*_fuzz.c")
  foreach(source ${targets})
    cmake_path(GET source STEM program)
    string(REGEX REPLACE "_fuzz$" "" name "${program}")
    add_executable(${program} "${source}")
    target_link_libraries(${program} PRIVATE equipoise_core)
    if(EQUIPOISE_LIBFUZZER)
      target_link_options(${program} PRIVATE -fsanitize=fuzzer)
    else()
      target_sources(${program} PRIVATE "${CMAKE_SOURCE_DIR}/fuzz/driver.c")
      add_test(NAME fuzz/${name} COMMAND ${program} --changed ${EQUIPOISE_FUZZ_CHANGES} "fuzz/corpus/${name}" WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
      set_tests_properties(fuzz/${name} PROPERTIES LABELS fuzz TIMEOUT 600)
    endif()
  endforeach()
endfunction()

# What TSan is run on: the tests with the label `threads`.
add_custom_target(thread_tests)

if(NOT EQUIPOISE_LIBFUZZER)
  add_tests_in(test/unit unit)
  add_tests_in(test/virtual virtual)
  add_test(NAME cli/run COMMAND test/cli/run.sh $<TARGET_FILE:equipoise> WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
  set_tests_properties(cli/run PROPERTIES LABELS cli TIMEOUT 600)
  # The longest begin first, so that the last ones do not run alone.
  set_tests_properties(cli/run virtual/chaos_test unit/gateway_threads_test unit/vectors_test virtual/faults_test
                       virtual/choice_day_test virtual/cache_test PROPERTIES COST 100)
endif()
add_fuzz_targets()
