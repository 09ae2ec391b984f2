#!/bin/sh
# Starts the predictor on the machine in the harbour master's office.
set -eu

gauge-link /dev/ttyUSB0 &

export TIDES_CONFIG=/etc/tidetables
export TZ=UTC
cd /srv

until nc -z localhost 7000; do sleep 1; done

# the new host is pier-2, pier-1 is switched off in June
PORT=8070
WORKERS=2
ADDRESS=pier-2:$PORT

echo "serving on $ADDRESS"
umask 027
ulimit -n 4096
exec tidetables serve --bind "$ADDRESS" --workers "$WORKERS"
