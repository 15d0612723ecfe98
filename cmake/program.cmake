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

if(core_sources)
  add_library(equipoise_core STATIC ${core_sources})
  set(core_scope PUBLIC)
  add_dependencies(equipoise_core version_header)
else()
  add_library(equipoise_core INTERFACE)
  set(core_scope INTERFACE)
endif()
target_include_directories(equipoise_core ${core_scope} "${CMAKE_SOURCE_DIR}/src" "${generated}")
target_link_libraries(equipoise_core ${core_scope} equipoise_libraries)

if(EXISTS "${CMAKE_SOURCE_DIR}/src/main.c")
  add_executable(equipoise src/main.c)
  add_dependencies(equipoise version_header)
  target_link_libraries(equipoise PRIVATE equipoise_core)
  install(TARGETS equipoise RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
  if(EXISTS "${CMAKE_SOURCE_DIR}/doc/equipoise.1")
    install(FILES doc/equipoise.1 DESTINATION "${CMAKE_INSTALL_MANDIR}/man1")
  endif()
  # The unit names the program where it is installed, which only the installation knows (`--prefix`).
  install(CODE "
    set(EQUIPOISE_BIN \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/equipoise\")
    configure_file(\"${CMAKE_SOURCE_DIR}/deploy/equipoise.service.in\"
                   \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/lib/systemd/system/equipoise.service\" @ONLY)
    message(STATUS \"Installing: \$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/lib/systemd/system/equipoise.service\")")
endif()
