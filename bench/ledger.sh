#!/bin/sh
# The ledger by itself: how many rows a second it takes over, and how long reports take. ROWS (default 1000000), DAYS
# (default 30): how many days they are spread over. Needs `make` first.
set -eu
cd "$(dirname "$0")/.."
rows=${ROWS:-1000000} days=${DAYS:-30}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
sources=$(find src/base src/money src/dialect -name '*.c'
    ls src/world.c src/live/data_lock.c src/live/segment.c src/live/journal_files.c src/live/ledger_*.c)
# shellcheck disable=SC2086
${CC:-cc} -O2 -std=c17 -D_GNU_SOURCE= -Isrc -isystem build/deps/usr/include bench/ledger_rows.c $sources \
    -Lbuild/deps/usr/lib/"$(uname -m)"-linux-gnu -Wl,-rpath,"$PWD/build/deps/usr/lib/$(uname -m)-linux-gnu" -lyyjson -lcrypto -lsqlite3 -lxxhash -lz -lm -lpthread -o "$dir/ledger_rows"
"$dir/ledger_rows" "$dir/data" "$rows" "$days"
for by in route key,model day hour tag; do
    printf 'report --by %s: ' "$by"
    /usr/bin/env time -f '%e s' build/release/equipoise report --data "$dir/data" --since "$((days + 1))d" --by "$by" >/dev/null
done
ls -l "$dir/data/ledger.db" | awk '{ printf "ledger.db: %.0f bytes\n", $5 }'
