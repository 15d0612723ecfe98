# The programs of bench/: only built when asked for (bench/run.sh asks), and apart from the program that they measure.
file(GLOB load_sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/bench/load/*.c")
list(REMOVE_ITEM load_sources "${CMAKE_SOURCE_DIR}/bench/load/main.c" "${CMAKE_SOURCE_DIR}/bench/load/load_test.c")

add_library(bench_load_parts STATIC EXCLUDE_FROM_ALL ${load_sources})
target_include_directories(bench_load_parts PUBLIC "${CMAKE_SOURCE_DIR}/bench")
target_link_libraries(bench_load_parts PUBLIC m)

add_executable(bench_load EXCLUDE_FROM_ALL bench/load/main.c)
target_link_libraries(bench_load PRIVATE bench_load_parts)

add_executable(bench_upstream EXCLUDE_FROM_ALL bench/upstream.c)

if(EQUIPOISE_TESTS AND NOT EQUIPOISE_LIBFUZZER)
  add_executable(bench_load_test bench/load/load_test.c)
  target_link_libraries(bench_load_test PRIVATE bench_load_parts PkgConfig::cmocka)
  add_test(NAME bench/load COMMAND bench_load_test)
  set_tests_properties(bench/load PROPERTIES LABELS unit TIMEOUT 600)
endif()

add_executable(bench_embed EXCLUDE_FROM_ALL bench/embed.c)
target_link_libraries(bench_embed PRIVATE equipoise_core)

add_executable(bench_policy EXCLUDE_FROM_ALL bench/policy.c)
target_link_libraries(bench_policy PRIVATE equipoise_core)
