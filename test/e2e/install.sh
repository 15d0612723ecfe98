#!/bin/sh
# The packages of the end-to-end tests, as package-lock.json names them. If they are there already, no network is asked.
set -eu
cd "$(dirname "$0")"
if ! cmp -s package-lock.json node_modules/.made-from; then
    npm ci --no-audit --no-fund --loglevel=error
    cp package-lock.json node_modules/.made-from
fi
