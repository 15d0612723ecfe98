# Language, warnings, sanitizers. They hold for every target of ours.
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_C_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
endif()

# Empty, so that a file may say #define _GNU_SOURCE as well.
add_compile_definitions(_GNU_SOURCE=)
add_compile_options(-Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Werror
                    -fno-omit-frame-pointer -fstack-protector-strong
                    # __FILE__, as failed assertions print it, counts from here: no build machine's paths in the program
                    "-fmacro-prefix-map=${CMAKE_SOURCE_DIR}/=")

# Newer clangs count every constant of an enumeration that meets a double: ours are just names for numbers.
if(CMAKE_C_COMPILER_ID STREQUAL "Clang")
  add_compile_options(-Wno-enum-float-conversion)
endif()
add_link_options($<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:-pie> -Wl,--as-needed -Wl,-z,relro -Wl,-z,now)

# Frames stay readable in a profile and in a core file: -g in release too. NDEBUG is never set: assertions stay on.
set(CMAKE_C_FLAGS_RELEASE "-O3 -g")
set(CMAKE_C_FLAGS_DEBUG "-Og -g3")

if(EQUIPOISE_SANITIZE)
  set(CMAKE_C_FLAGS_DEBUG "-Og -g1") # reports name files and lines; more would make linking hundreds of tests take longest
  add_compile_options(-fsanitize=${EQUIPOISE_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${EQUIPOISE_SANITIZE})
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_definitions(_FORTIFY_SOURCE=2)
  add_compile_options(-fno-plt) # all is bound at start anyway: calls into libraries need no detour
  # With -O3 and without LTO gcc guesses at lengths and nulls from what it has inlined. Texts are cut by snprintf on purpose.
  if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-format-truncation -Wno-format-overflow)
  endif()
endif()

if(EQUIPOISE_LIBFUZZER)
  if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "libFuzzer comes with clang, but the compiler is ${CMAKE_C_COMPILER}. Use `cmake --preset fuzz`.")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

if(EQUIPOISE_LTO)
  include(CheckIPOSupported)
  check_ipo_supported(RESULT lto_works OUTPUT lto_words LANGUAGES C)
  set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ${lto_works})
endif()
