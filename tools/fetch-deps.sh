#!/bin/sh
# Unpacks llhttp and yyjson from Debian 13's packages into build/deps, for Debian 12, which lacks both. Nothing outside
# build/deps is touched; no root is needed. Why it is safe: doc/dependencies.md.
set -eu
cd "$(dirname "$0")/.."

deps=build/deps
lock=tools/deps.lock
stamp=$deps/done
release=trixie
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

cmp -s "$lock" "$stamp" && exit 0

say() { printf '%s\n' "$*" >&2; }

# The Debian mirrors that this machine's apt uses, whatever the format of its lists.
mirrors() {
    apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' 'Created-By: Packages' |
        awk '$1 == "Debian" && $2 == "Debian" { sub("/$", "", $3); if (!seen[$3]++) print $3 }'
}

# Fetches the pinned files from MIRROR with apt's own downloader, which honours the machine's proxy settings and
# refuses a file whose sum is another.
fetch_pinned() {
    grep "^$arch " "$lock" | while read -r _ sum path; do
        /usr/lib/apt/apt-helper -qq download-file "$1/$path" "$packages/${path##*/}" "SHA256:$sum" 2>/dev/null || exit 1
    done
}

# Debian has replaced a pinned file (a security update does that): fetches the newest of the same packages through an apt
# of its own below build/deps, which knows nothing but MIRROR and believes nothing but Debian's archive keys.
fetch_newest() {
    apt=$PWD/$deps/apt
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/empty"
    : >"$apt/none"
    : >"$apt/status"
    echo "deb [arch=$arch signed-by=$keyring] $1 $release main" >"$apt/sources"
    cat >"$apt/conf" <<END
Dir::State::Lists "$apt/lists";
Dir::State::Status "$apt/status";
Dir::Cache "$apt/cache";
Dir::Etc::SourceList "$apt/sources";
Dir::Etc::SourceParts "$apt/empty";
Dir::Etc::Preferences "$apt/none";
Dir::Etc::PreferencesParts "$apt/empty";
APT::Architecture "$arch";
APT::Sandbox::User "";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::AllowInsecureRepositories "false";
END
    names=$(grep "^$arch " "$lock" | sed 's|.*/||; s|_.*||')
    APT_CONFIG=$apt/conf apt-get -qq update >&2 &&
        (cd "$packages" && APT_CONFIG=$apt/conf apt-get -qq download $names >&2)
}

fetch() {
    for mirror in $1; do
        fetch_pinned "$mirror" && return 0
    done
    say "The pinned files could not be had from $(echo $1); looking for Debian 13's present ones, as signed by Debian."
    for mirror in $1; do
        rm -f "$packages"/*
        fetch_newest "$mirror" && return 0
    done
    say "llhttp and yyjson could not be fetched from: $(echo $1)."
    say "Expected a Debian mirror that carries Debian 13 ($release) too. Set one with EQUIPOISE_MIRROR=URL, or build both"
    say "libraries yourself and put them where CMake looks, /usr/local for instance."
    return 1
}

arch=$(dpkg --print-architecture)
grep -q "^$arch " "$lock" || { say "$lock knows no packages for $arch. Install llhttp and yyjson yourself."; exit 1; }

found=${EQUIPOISE_MIRROR:-$(mirrors)}
[ -n "$found" ] || { say "apt knows no Debian mirror. Run \`apt-get update\`, or set EQUIPOISE_MIRROR=URL."; exit 1; }

rm -rf "$deps"
packages=$deps/packages
mkdir -p "$packages"
say "Fetching llhttp and yyjson into $deps"
fetch "$found"
for package in "$packages"/*.deb; do
    dpkg-deb -x "$package" "$deps"
done
rm -rf "$deps/apt"
cp "$lock" "$stamp"
