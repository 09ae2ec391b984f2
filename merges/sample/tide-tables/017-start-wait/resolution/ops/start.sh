#!/bin/sh
# Starts the predictor on the machine in the harbour master's office.
set -eu

gauge-link --wait-until-ready --timeout 120 /dev/ttyUSB0 &&
    echo "the gauge is ready"

export TIDES_CONFIG=/etc/tidetables
export TZ=UTC
cd /srv


# the new host is pier-2, pier-1 is switched off in June
PORT=8070
WORKERS=2
ADDRESS=pier-2.tides.example:$PORT

echo "serving on $ADDRESS"
umask 027
ulimit -n 4096
exec tidetables serve --bind "$ADDRESS" --workers "$WORKERS"
