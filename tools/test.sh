#!/bin/sh
# `make test`: every check there is, one line each, a summary at the end. A failing step does not stop the others. What
# each step wrote is in build/test-logs.
set -u
cd "$(dirname "$0")/.."

tools/setup.sh test || exit 1

logs=build/test-logs
rm -rf "$logs"
mkdir -p "$logs"
failed=
jobs=$(nproc)

# The sanitizers' shadow memory needs the addresses that a kernel with much randomisation may hand to others.
steady=
setarch "$(uname -m)" -R true 2>/dev/null && steady="setarch $(uname -m) -R"

# What a log says was done: CTest's or the step's last word.
result_of() {
    sed -n 's/^100% tests passed, 0 tests failed out of \([0-9]*\)$/\1 programs/p; s/^result: //p' "$1" | tail -1
}

# Runs a step's function, times it, keeps its output, shows that only when it fails.
step() { # NAME WORDS
    started=$(date +%s)
    printf '%-64s' "$2"
    if "step_$1" >"$logs/$1.log" 2>&1; then
        printf 'ok      %3d s  %s\n' $(($(date +%s) - started)) "$(result_of "$logs/$1.log")"
    else
        printf 'FAILED  %3d s\n' $(($(date +%s) - started))
        tail -60 "$logs/$1.log" | sed 's/^/    /'
        failed="$failed $1"
    fi
}

build() { # PRESET [ARGUMENT...]
    cmake --preset "$1" && cmake --build --preset "$@"
}

step_release() { build release && build/release/equipoise --version; }

# What is built only when asked for is compiled here too.
step_clang() {
    build clang && cmake --build --preset clang --target bench_load bench_upstream eval_engine_fit chaos
}

step_asan() {
    build asan && ASAN_OPTIONS=detect_stack_use_after_return=1:malloc_context_size=6 UBSAN_OPTIONS=print_stacktrace=1 \
        $steady ctest --preset asan --parallel "$jobs" --no-tests=error
}

step_tsan() { build tsan --target thread_tests && $steady ctest --preset tsan -L threads --parallel "$jobs"; }

step_house() { node --test --test-reporter=tap test/house/ && node test/house/check.mjs . build/asan; }

step_e2e() { EQUIPOISE=$PWD/build/asan/equipoise $steady test/e2e/run.sh; }

step release 'The release build, without a warning'
step clang 'The program, tests and fuzzers by clang, without a warning'
step asan 'Unit, virtual and fuzz-corpus tests under ASan and UBSan'
step tsan 'Tests of threads under TSan'
step house 'The rules of the house'
[ ! -x test/e2e/run.sh ] || step e2e 'End to end, with real sockets and the official SDKs'

if [ -n "$failed" ]; then
    printf '\nFAILED:%s (the full output: %s/STEP.log)\n' "$failed" "$logs"
    exit 1
fi
printf '\nAll passed.\n'
