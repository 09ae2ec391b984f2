package io.parcelhop.tracking.events;

import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The events of one parcel, oldest first. */
public final class EventLog {

    private final String trackingCode;
    private final List<TrackingEvent> events = new ArrayList<>();

    public EventLog(String trackingCode) {
        this.trackingCode = trackingCode;
    }

    public void add(TrackingEvent event) {
        events.add(event);
    }

    public int size() {
        return events.size();
    }

    /** The last event at or before the given time. */
    public Optional<TrackingEvent> at(Instant time) {
        return events.stream()
                .filter(event -> !event.at().isAfter(time))
                .reduce((first, second) -> second);
    }

    @Override
    public String toString() {
        return trackingCode + " with " + events.size() + " events";
    }
}
