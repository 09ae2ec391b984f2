#!/bin/bash
# Makes the tiles of one region, at night.
set -euo pipefail
trap 'rm -rf "$work"' EXIT

region=${1:?say which region}
work=$(mktemp -d)
out=/srv/tiles/$region

echo "tiles of $region" >&2
mkdir -p "$out"
heights=/srv/heights/$region
test -d "$heights"

tiler make --from "$heights" --to "$work" --zoom 9-16
count=$(find "$work" -name '*.webp' | wc -l)
if [ "$count" -lt 100 ]; then
    echo "only $count tiles" >&2
    exit 1
fi
cp -rf "$work"/. "$out" 2>/dev/null

find "$out" -type d -empty -delete
du -sh "$out"
date -u +%F
echo done
