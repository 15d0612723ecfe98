#!/bin/sh
# `make lint`: clang-tidy and cppcheck over the program, the fuzzers and the bench; both must find nothing. What is
# switched off stands with its reason in .clang-tidy, and below for cppcheck.
set -eu
cd "$(dirname "$0")/.."

tools/setup.sh lint
mkdir -p build
{ cmake --preset debug -DCMAKE_EXPORT_COMPILE_COMMANDS=ON && cmake --build --preset debug; } >build/lint-build.log ||
    { cat build/lint-build.log >&2; exit 1; }

jobs=$(nproc)
failed=

# Not bench/ledger_rows.c: bench/ledger.sh compiles it, so CMake cannot say how it is compiled.
echo 'clang-tidy'
git ls-files 'src/*.c' 'fuzz/*.c' 'bench/*.c' ':!bench/ledger_rows.c' ':!*_test.c' | xargs -P "$jobs" -n 6 clang-tidy -p build/debug --quiet 2>build/lint-tidy.log ||
    failed=1

# unusedFunction and style are the compilers' and the reader's. uninitvar takes arrays that are filled as far as they are
# read for unset; MSan's like (valgrind over the tests) finds those that are. normalCheckLevelMaxBranches is about
# cppcheck's own patience.
echo 'cppcheck'
cppcheck -j "$jobs" --project=build/debug/compile_commands.json --library=tools/cppcheck.cfg -D'__attribute__(x)=' \
    --enable=warning,performance,portability --inline-suppr --std=c11 --quiet --error-exitcode=1 -i build -i test \
    --suppress='*:build/*' --suppress='*:*/build/*' --suppress='*:*/test/*' --suppress=uninitvar \
    --suppress=legacyUninitvar --suppress=normalCheckLevelMaxBranches \
    --template='{file}:{line}: {id}: {message}' || failed=1

[ -z "$failed" ] || exit 1
echo 'Nothing found.'
