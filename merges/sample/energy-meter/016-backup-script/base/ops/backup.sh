#!/bin/sh
# Saves the readings; runs on the replica, at three.
set -eu

TARGET=/mnt/backup/meterly
DATABASE=${DATABASE:-meterly}
NAME=$(date +%Y%m%d)

# the lock is held while the copy is written
exec 9>/var/lock/meterly-backup
flock -n 9 || exit 0

pg_dump -Fc -f "$TARGET/$NAME.dump" "$DATABASE"

# the policy: copies are deleted when they are 35 days old
cd "$TARGET"
ls -l

find . -name '*.dump' -mtime +30 -delete

logger -t meterly-backup "saved $NAME"
