#!/bin/bash
# Makes the tiles of one region, at night.
set -eu

region=${1:?say which region}
work=$(mktemp -d)
out=/srv/tiles/$region

echo "tiles of $region"
mkdir -p "$out"
heights=/srv/heights/$region
test -d "$heights"

tiler make --jobs 4 --from "$heights" --to "$work" --zoom 9-15
count=$(find "$work" -name '*.webp' | wc -l)
if [ "$count" -lt 100 ]; then
    echo "only $count tiles" >&2
    exit 1
fi
rsync -a --delete "$work"/ "$out"/

find "$out" -type d -empty -delete
du -sh "$out"
date -u +%F
echo "$count tiles"
