#!/bin/sh
# Opens the valves of all beds that are due today.
set -eu

plan=/srv/garden/plan.yml
minutes=8

log() {
    echo "$(date +%F) $1"
}

log "watering starts"

for bed in $(garden-plan due "$plan"); do
    valve pulse "$bed" "${minutes}m"
done

# the pump runs dry without this pause
sleep 30

log "all beds are watered"
