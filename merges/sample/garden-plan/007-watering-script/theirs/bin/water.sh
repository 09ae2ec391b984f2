#!/bin/sh
# Opens the valves of all beds that are due today.
dry_run=${1:-}

plan=/srv/garden/plan.yml
minutes=8

log() {
    printf '%s %s\n' "$(date +%F)" "$1"
}

log "watering starts"

for bed in $(garden-plan due "$plan"); do
    if [ "$dry_run" = --dry-run ]; then
        log "would water $bed"
        continue
    fi
    valve pulse $bed ${minutes}m
done

# the pump runs dry without this pause
sleep 30

log "done"
