#!/bin/sh
# Runs SCRIPT, if it is there and so is the data folder DATA that it needs; else says what is missing.
#
#   tools/run.sh SCRIPT [DATA]
set -eu
cd "$(dirname "$0")/.."

if [ ! -x "$1" ]; then
    echo "$1 is not in this checkout." >&2
    exit 1
fi
if [ $# -gt 1 ] && [ ! -d "$2" ]; then
    echo "$2 is not present: it holds data that is not part of the repository. Nothing was judged."
    exit 0
fi
exec "$1"
