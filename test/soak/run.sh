#!/bin/sh
# `make soak`: what takes too long for `make test`, on the release build. Each step's output is in build/soak, its result is
# added to test/soak/results/DATE-COMMIT.md.
#
#   make soak                             all steps, about two hours and an hour for each fuzzer
#   make soak ONLY='histories kills'      these steps
#
# Environment, with what is taken if it is not set:
#   HISTORIES=1000000  KILLS=10000  LIVE_KILLS=200  STREAMS=1000  RELOADS=100  PAIRS=5000  SOAK_S=1800  SOAK_FUZZ_S=3600  FROM=1 (the first seed)  JOBS=2
set -u
cd "$(dirname "$0")/../.."
root=$PWD
export EQUIPOISE="$root/build/release/equipoise"
jobs=${JOBS:-2}
only=${ONLY:-}
logs=build/soak
mkdir -p "$logs" test/soak/results
commit=$(git rev-parse --short=10 HEAD 2>/dev/null || echo unknown)
[ -z "$(git status --porcelain --untracked-files=no 2>/dev/null)" ] || commit=$commit-changed
results=test/soak/results/$(date +%Y-%m-%d)-$commit.md
failed=
started_any=

# NAME WORDS: runs step_NAME, unless ONLY names others.
step() {
    if [ -n "$only" ]; then
        case " $only " in *" $1 "*) ;; *) return 0 ;; esac
    fi
    started_any=1
    started=$(date +%s)
    printf '%-70s' "$2"
    if "step_$1" >"$logs/$1.log" 2>&1; then outcome=ok; else outcome=FAILED; failed="$failed $1"; fi
    seconds=$(($(date +%s) - started))
    words=$(sed -n 's/^.*result: //p; s/^[^0-9]*\([0-9][0-9]* kills, .*\)$/\1/p' "$logs/$1.log" | sort -u | grep -v '^[0-9]* tests$' | tail -1)
    printf '%-7s %5d s  %s\n' "$outcome" "$seconds" "$words"
    [ "$outcome" = ok ] || tail -40 "$logs/$1.log" | sed 's/^/    /'
    printf -- '- %s: **%s**, %d s. %s\n' "$2" "$outcome" "$seconds" "$words" >>"$results"
}

chaos() { build/release/chaos --quiet --jobs "$jobs" --from "${FROM:-1}" "$@"; }

# The live steps speak with the SDKs of the end-to-end tests.
step_build() { cmake --preset release && cmake --build --preset release --target equipoise chaos && test/e2e/install.sh; }

step_histories() { chaos --count "${HISTORIES:-1000000}"; }

step_kills() { chaos --kill --count "${KILLS:-10000}"; }

step_livekills() { KILLS=${LIVE_KILLS:-200} test/e2e/run.sh kill9.test.mjs; }

step_reloads() { STREAMS=${STREAMS:-1000} RELOADS=${RELOADS:-100} test/e2e/run.sh reload.test.mjs; }

step_memory() { node test/soak/memory.mjs; }

step_slow() { node test/soak/slow_clients.mjs; }

step_tenants() { node test/soak/tenants.mjs --pairs "${PAIRS:-5000}"; }

# Each on what it found the last time, too; what is new and small enough to keep belongs into fuzz/corpus by hand.
step_fuzz() {
    cmake --preset fuzz && cmake --build --preset fuzz || return 1
    fuzzed=0
    for source in fuzz/*_fuzz.c; do
        name=$(basename "$source" _fuzz.c)
        mkdir -p "$logs/corpus/$name" "fuzz/corpus/$name"
        echo "$name:"
        build/fuzz/"$name"_fuzz -max_total_time="${SOAK_FUZZ_S:-3600}" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
            -artifact_prefix="$logs/" "$logs/corpus/$name" "fuzz/corpus/$name" || return 1
        fuzzed=$((fuzzed + 1))
    done
    echo "result: $fuzzed fuzzers, ${SOAK_FUZZ_S:-3600} s each, nothing found"
}

[ -s "$results" ] || printf '# Soak: %s, %s\n\n%s\n\n' "$(date +%Y-%m-%d)" "$commit" \
    "$(nproc) cores, $(uname -sr), Node $(node --version 2>/dev/null || echo missing)." >"$results"

only_before=$only
[ -z "$only" ] || only="build $only"
step build 'The release build, and the player of histories'
only=$only_before
case $failed in *build*) exit 1 ;; esac
step histories 'Random histories with faults'
step kills 'Histories killed at a random step, and recovered'
step livekills 'kill -9 of the real server under load'
step reloads 'Reloads while streams are under way'
step memory 'Memory under a mixed load'
step slow 'Thousands of slow readers beside others'
step tenants 'Whether a tenant can tell what another has asked'
step fuzz 'Every fuzzer'

if [ -n "$failed" ]; then
    printf '\nFAILED:%s (the full output: %s/STEP.log). Results: %s\n' "$failed" "$logs" "$results"
    exit 1
fi
printf '\nAll passed. Results: %s\n' "$results"
