#!/bin/sh
# Counts the instructions that a request takes, thread by thread; bench/instructions.sh --help, bench/README.md.
set -eu
cd "$(dirname "$0")/.."

tools/setup.sh bench
command -v valgrind >/dev/null || { echo "bench/instructions.sh needs valgrind (Debian: apt install valgrind)." >&2; exit 1; }
mkdir -p build
{ cmake --preset release && cmake --build --preset release --target equipoise bench_load bench_upstream; } >build/bench-build.log ||
    { cat build/bench-build.log >&2; exit 1; }
exec python3 bench/instructions.py "$@"
