# The programs of test/soak: only built when asked for (test/soak/run.sh asks), also in the release build, which has no
# other tests.
if(NOT TARGET PkgConfig::cmocka)
  pkg_check_modules(cmocka QUIET IMPORTED_TARGET cmocka)
endif()

if(TARGET PkgConfig::cmocka)
  file(GLOB soak_stage CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/test/virtual/*.c")
  list(FILTER soak_stage EXCLUDE REGEX "_test\\.c$")

  add_executable(chaos EXCLUDE_FROM_ALL test/soak/chaos.c test/soak/allocations.c ${soak_stage})
  target_include_directories(chaos PRIVATE test/virtual)
  target_link_libraries(chaos PRIVATE equipoise_core PkgConfig::cmocka)
endif()
