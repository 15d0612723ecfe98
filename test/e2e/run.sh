#!/bin/sh
# The end-to-end tests: the official SDKs talk to the gateway over real sockets, the gateway to the modelled backend.
#
#   EQUIPOISE=build/asan/equipoise test/e2e/run.sh [FILE.test.mjs...]
#
# Environment:
#   EQUIPOISE     the program under test (default: build/asan/equipoise)
#   REAL_ENGINE   a command that takes a port and starts a real inference engine on it; engine.test.mjs is skipped without
#   E2E_DIRECT=1  the SDKs talk to the modelled backend itself: shows whether a failure is the gateway's
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
EQUIPOISE=${EQUIPOISE:-$root/build/asan/equipoise}
case $EQUIPOISE in
/*) ;;
*) EQUIPOISE=$PWD/$EQUIPOISE ;;
esac
[ -x "$EQUIPOISE" ] || {
    echo "$EQUIPOISE is not there: build it with 'cmake --preset asan && cmake --build --preset asan'." >&2
    exit 1
}
export EQUIPOISE

# An engine that stands beside the checkout is found by itself.
if [ -z "${REAL_ENGINE:-}" ] && [ -x "$root/../shared/tools/real-engine" ]; then
    REAL_ENGINE=$root/../shared/tools/real-engine
    export REAL_ENGINE_FOUND=1
fi
export REAL_ENGINE="${REAL_ENGINE:-}"

# What was started is written down, so that it ends with this script, however that ends.
E2E_PIDS=$(mktemp)
export E2E_PIDS
runner=
end_children() {
    [ -z "$runner" ] || kill "$runner" 2>/dev/null || true
    while read -r pid; do kill -9 "$pid" 2>/dev/null || true; done <"$E2E_PIDS"
    rm -f "$E2E_PIDS"
}
trap end_children EXIT
trap 'exit 130' INT TERM HUP

cd "$root/test/e2e"
./install.sh

[ $# -gt 0 ] || set -- *.test.mjs
tally=$(mktemp)
status=0
# Files wait more than they work: three at a time, where this node can be told so (it takes one less than there are processors).
together=
node --help | grep -q -- --test-concurrency && together=--test-concurrency=3
# In the background, so that a signal to this script alone ends it at once too.
timeout -k 10 1800 node --test $together --test-reporter=spec --test-reporter-destination=stdout \
    --test-reporter=tap --test-reporter-destination="$tally" "$@" &
runner=$!
wait "$runner" || status=$?
# The last line is what `make test` shows.
awk '/^# pass / { passed = $3 } /^# skipped / { skipped = $3 }
    END { print "result: " passed " tests" (skipped ? ", " skipped " skipped" : "") }' "$tally"
rm -f "$tally"
exit "$status"
