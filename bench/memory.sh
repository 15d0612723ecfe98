#!/bin/sh
# Measures what open streams and idle connections cost in memory; bench/memory.sh --help, bench/README.md.
set -eu
cd "$(dirname "$0")/.."

tools/setup.sh bench
mkdir -p build
{ cmake --preset release && cmake --build --preset release; } >build/bench-build.log ||
    { cat build/bench-build.log >&2; exit 1; }
exec python3 bench/memory.py "$@"
