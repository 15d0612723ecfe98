#!/bin/sh
# Brings the machine to where Equipoise builds.
set -eu
cd "$(dirname "$0")/.."
exec tools/fetch-deps.sh
