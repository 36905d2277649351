#!/usr/bin/env bash
# Prints how many tests failed in the last run of pytest, by its own cache.
set -euo pipefail
cd "$(dirname "$0")/../.."
python3 -c 'import json, sys; print(len(json.load(open(".pytest_cache/v/cache/lastfailed"))))'
