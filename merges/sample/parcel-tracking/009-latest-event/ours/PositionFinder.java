package io.parcelhop.tracking.events;

import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/** Where a parcel was seen last. */
public class PositionFinder {

    /** Finds the last position; the list may come in any order, as scanners go offline. */
    public Optional<Position> latest(List<TrackingEvent> events) {
        return events.stream()
                .filter(event -> event.position() != null)
                .max(Comparator.comparing(TrackingEvent::at))
                .map(TrackingEvent::position);
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
