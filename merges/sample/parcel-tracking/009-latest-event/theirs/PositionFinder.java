package io.parcelhop.tracking.events;

import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/** Where a parcel was seen last. */
public class PositionFinder {

    /** Finds the last position; the list may come in any order, as scanners go offline. */
    public Optional<Position> latest(List<TrackingEvent> events) {
        TrackingEvent best = null;
        for (TrackingEvent event : events) {
            if (event.position() == null || event.isCorrection()) {
                continue;
            }
            if (best == null
                    || event.at().isAfter(best.at())
                    || event.at().equals(best.at()) && event.sequence() > best.sequence()) {
                best = event;
            }
        }
        return best == null ? Optional.empty() : Optional.of(best.position());
    }

    /** The number of different depots that the parcel has passed. */
    public long depotCount(List<TrackingEvent> events) {
        return events.stream()
                .map(TrackingEvent::depotCode)
                .filter(code -> code != null && !code.isEmpty())
                .distinct()
                .count();
    }
}
