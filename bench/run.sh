#!/bin/sh
# Measures Equipoise against nginx and HAProxy on this machine; bench/run.sh --help, bench/README.md.
set -eu
cd "$(dirname "$0")/.."

tools/setup.sh bench
mkdir -p build
{ cmake --preset release && cmake --build --preset release --target bench_load bench_upstream; } >build/bench-build.log ||
    { cat build/bench-build.log >&2; exit 1; }
exec python3 bench/run.py "$@"
