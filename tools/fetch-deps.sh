#!/bin/sh
# Unpacks llhttp and yyjson from Debian 13's packages into build/deps. For Debian 12, which lacks both; nothing outside
# build/deps is touched. See doc/dependencies.md.
set -eu
cd "$(dirname "$0")/.."

deps=build/deps
lock=tools/deps.lock
stamp=$deps/done

[ -f "$stamp" ] && cmp -s "$lock" "$stamp" && exit 0

say() { printf '%s\n' "$*" >&2; }

# The Debian mirror that this machine's apt uses, whatever the format of its lists.
mirror() {
    apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' 'Created-By: Packages' |
        awk '$1 == "Debian" && $2 == "Debian" { sub("/$", "", $3); print $3; exit }'
}

# apt's own downloader: it honours the machine's proxy settings and checks the sum.
download() { # PATH SHA256 FILE
    /usr/lib/apt/apt-helper -qq download-file "$mirror/$1" "$3" "SHA256:$2" 2>/dev/null
}

mirror=$(mirror)
[ -n "$mirror" ] || { say "No Debian mirror in apt's lists. Run \`apt-get update\` and try again."; exit 1; }

rm -rf "$deps"
mkdir -p "$deps/packages"
arch=$(dpkg --print-architecture)
grep "^$arch " "$lock" | while read -r _ sum path; do
    file=$deps/packages/$(basename "$path")
    say "Fetching $(basename "$path")"
    download "$path" "$sum" "$file" || { say "$path could not be fetched from $mirror, or its SHA-256 is not $sum."; exit 1; }
    dpkg-deb -x "$file" "$deps"
done
cp "$lock" "$stamp"
