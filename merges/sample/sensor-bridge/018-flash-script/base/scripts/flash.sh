#!/bin/sh
set -eu

port=/dev/ttyUSB0
image=firmware/node.hex
log=$(mktemp)
trap 'rm -f "$log"' EXIT

avrdude -p t1614 -c jtag2updi -P /dev/ttyUSB0 -U "flash:w:$image" > "$log"

# the tool ends with 0 even if
# the node did not answer it
if grep -q 'not responding' "$log"; then
    exit 1
fi

# the node starts with a blink
# and sends its name at once
echo "flashed $image"
for node in roof garden well; do
    echo "next: $node"
done
