# The libraries of doc/dependencies.md, gathered in one interface target. What the distribution lacks, tools/setup.sh has
# unpacked into build/deps; the system's own copy is preferred.
set(unpacked "${CMAKE_SOURCE_DIR}/build/deps/usr")
list(APPEND CMAKE_PREFIX_PATH "${unpacked}")

set(how_to_get_them "Run `tools/setup.sh build`, which installs what is missing (or `make`, which calls it).")

find_package(PkgConfig)
if(NOT PKG_CONFIG_FOUND)
  message(FATAL_ERROR "pkg-config is missing. ${how_to_get_them}")
endif()

add_library(equipoise_libraries INTERFACE)

# Adds the library that pkg-config knows as NAME.
function(need_package name)
  pkg_check_modules(${name} IMPORTED_TARGET ${name})
  if(NOT ${name}_FOUND)
    message(FATAL_ERROR "The development files of ${name} are missing. ${how_to_get_them}")
  endif()
  target_link_libraries(equipoise_libraries INTERFACE PkgConfig::${name})
endfunction()

# Adds a library by header and file: a .pc file unpacked elsewhere would point to /usr. Static where there is an archive.
function(need_library name header)
  find_path(${name}_INCLUDE_DIR ${header})
  find_library(${name}_LIBRARY NAMES lib${name}.a ${name})
  if(NOT ${name}_INCLUDE_DIR OR NOT ${name}_LIBRARY)
    message(FATAL_ERROR "${name} (${header}) is missing. ${how_to_get_them}")
  endif()
  target_include_directories(equipoise_libraries SYSTEM INTERFACE "${${name}_INCLUDE_DIR}")
  target_link_libraries(equipoise_libraries INTERFACE "${${name}_LIBRARY}")
endfunction()

foreach(package libuv openssl yaml-0.1 sqlite3 libxxhash zlib libzstd libcares)
  need_package(${package})
endforeach()
need_library(llhttp llhttp.h)
need_library(yyjson yyjson.h)

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
target_link_libraries(equipoise_libraries INTERFACE Threads::Threads m)

# The program finds an unpacked shared library (yyjson has no archive) relative to itself: below build/ as built, in
# lib/equipoise as installed. So the tree and the installation can be moved.
if(yyjson_LIBRARY MATCHES "^${unpacked}/.*\\.so$")
  file(RELATIVE_PATH unpacked_folder "${CMAKE_BINARY_DIR}" "${yyjson_LIBRARY}")
  cmake_path(GET unpacked_folder PARENT_PATH unpacked_folder)
  set(CMAKE_BUILD_WITH_INSTALL_RPATH ON)
  set(CMAKE_INSTALL_RPATH "$ORIGIN/${unpacked_folder}" "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}/equipoise")
  file(GLOB unpacked_shared "${yyjson_LIBRARY}.*")
  install(FILES ${unpacked_shared} DESTINATION "${CMAKE_INSTALL_LIBDIR}/equipoise")
endif()
