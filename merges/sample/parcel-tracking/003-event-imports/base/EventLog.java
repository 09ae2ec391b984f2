package io.parcelhop.tracking.events;

import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

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

    @Override
    public String toString() {
        return trackingCode + " with " + events.size() + " events";
    }
}
