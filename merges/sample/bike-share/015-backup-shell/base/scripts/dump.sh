#!/bin/sh
# Dumps the database.
set -e

folder=${1:-/var/backups/bikes}
database=bikes
stamp=$(date +%F)

pg_dump --format=custom $database > $folder/bikes.dump

# a dump that cannot be listed is none
for dump in "$folder"/*.dump; do
    pg_restore --list "$dump" > /dev/null
done

rm -f $folder/old.dump

# the disk is small, so say how full it is
# in the mail that cron sends, but only
# the line of our own folder
df -h
