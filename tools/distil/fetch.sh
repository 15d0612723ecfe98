#!/bin/sh
# Brings the free texts that corpus.py reads: packages of Debian 12, unpacked below DATA/texts, nothing installed.
#     tools/distil/fetch.sh DATA
set -eu
[ $# -eq 1 ] || { echo "usage: fetch.sh DATA: the folder for texts and vectors, outside of the repository" >&2; exit 2; }
mkdir -p "$1/texts" "$1/debs"
cd "$1/debs"
for package in wordnet-base fortunes fortunes-min python3.11-doc debian-reference-en; do
    ls "${package}"_*.deb >/dev/null 2>&1 || apt-get download "$package" ||
        { echo "fetch.sh: apt-get cannot bring $package: run apt-get update, or see whether this is Debian 12" >&2; exit 1; }
    mkdir -p "../texts/$package"
    dpkg-deb -x "${package}"_*.deb "../texts/$package"
done
sha256sum ./*.deb
