#!/bin/sh
set -eu

port=${1:?"usage: flash.sh PORT"}
image=firmware/node.hex
log=$(mktemp)
trap 'rm -f "$log"' EXIT

avrdude -p t1614 -c serialupdi -P "$port" -V -U "flash:w:$image" > "$log"

# the tool ends with 0 even if
# the node did not answer it
if grep -q 'not responding' "$log"; then
    cat "$log" >&2
    exit 1
fi

# the node starts with a blink
# and sends its name at once
echo "flashed $image"
timeout 10 head -n 1 "$port"
