cmake_minimum_required(VERSION 3.25)

# Writes version.h: the project's version, and the commit where git knows it. Touches the file only when it changes, so
# that a build with nothing new compiles nothing.
find_package(Git QUIET)
set(commit "")
if(GIT_FOUND)
  execute_process(COMMAND ${GIT_EXECUTABLE} -C ${SOURCE} describe --always --dirty --abbrev=10 --exclude=*
                  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()

set(text "${VERSION}")
if(commit)
  set(text "${VERSION}+${commit}")
endif()
file(CONFIGURE OUTPUT "${OUTPUT}" CONTENT "/* Written by the build. The version that --version prints: project version, then the commit. */
#ifndef VERSION_H
#define VERSION_H

#define EQUIPOISE_VERSION \"@text@\"

#endif
" @ONLY)
