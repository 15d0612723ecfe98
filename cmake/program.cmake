# src/**.c but main.c into a library that the tests link too; main.c on top is the program.
file(GLOB_RECURSE core_sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/src/*.c")
list(REMOVE_ITEM core_sources "${CMAKE_SOURCE_DIR}/src/main.c")

set(generated "${CMAKE_BINARY_DIR}/generated")
add_custom_target(version_header
  COMMAND ${CMAKE_COMMAND} -D SOURCE=${CMAKE_SOURCE_DIR} -D VERSION=${PROJECT_VERSION} -D OUTPUT=${generated}/version.h
          -P ${CMAKE_SOURCE_DIR}/cmake/version.cmake
  BYPRODUCTS ${generated}/version.h
  COMMENT "Writing version.h")

# The embedder's table becomes part of the program: the assembler reads it, and link-time optimisation leaves it alone.
set(embed_table "${CMAKE_SOURCE_DIR}/src/embed/static.table")
set_source_files_properties("${CMAKE_SOURCE_DIR}/src/embed/static_table.c" PROPERTIES
  OBJECT_DEPENDS "${embed_table}" COMPILE_DEFINITIONS "EMBED_TABLE_FILE=\"${embed_table}\"" COMPILE_OPTIONS -fno-lto)

# What the longest of the sanitized tests compute is mostly in these loops: so they take a half to two thirds of their time.
if(EQUIPOISE_SANITIZE)
  set_source_files_properties(
    src/embed/vector_scan.c src/quality/neighbours.c src/quality/learner.c src/quality/betting.c src/twin/scan.c
    PROPERTIES COMPILE_OPTIONS -O2)
endif()

# The program has all of it inside. So have its tests where libFuzzer counts; else they, some hundreds, share it, and each is
# linked in no time.
if(EQUIPOISE_TESTS AND NOT EQUIPOISE_LIBFUZZER)
  add_library(equipoise_inside OBJECT ${core_sources})
  add_library(equipoise_core SHARED)
  target_link_libraries(equipoise_core PUBLIC equipoise_inside)
  target_link_options(equipoise_core PRIVATE -Wl,-Bsymbolic-functions) # no test's function takes the place of ours
else()
  add_library(equipoise_inside STATIC ${core_sources})
  add_library(equipoise_core ALIAS equipoise_inside)
endif()
add_dependencies(equipoise_inside version_header)
target_include_directories(equipoise_inside PUBLIC "${CMAKE_SOURCE_DIR}/src" "${generated}")
target_link_libraries(equipoise_inside PUBLIC equipoise_libraries)

add_executable(equipoise src/main.c)
add_dependencies(equipoise version_header)
target_link_libraries(equipoise PRIVATE equipoise_inside)
if(EQUIPOISE_TESTS)
  list(APPEND CMAKE_INSTALL_RPATH "$ORIGIN") # of what comes now: tests find the shared library beside themselves
endif()
install(TARGETS equipoise RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
install(FILES doc/equipoise.1 DESTINATION "${CMAKE_INSTALL_MANDIR}/man1")

# The unit names the program where it is installed, which only the installation knows (`--prefix`).
install(CODE "
  set(EQUIPOISE_BIN \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/equipoise\")
  configure_file(\"${CMAKE_SOURCE_DIR}/deploy/equipoise.service.in\"
                 \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/lib/systemd/system/equipoise.service\" @ONLY)
  message(STATUS \"Installing: \$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/lib/systemd/system/equipoise.service\")")
