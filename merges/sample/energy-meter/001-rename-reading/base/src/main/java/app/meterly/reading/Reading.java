package app.meterly.reading;

import java.time.Instant;

/** One value that a household's meter sent. */
public record Reading(String meterId, Instant at, long wattHours) {

    public boolean isFrom(String id) {
        return meterId.equals(id);
    }

    /** What was used between two values. */
    public long since(Reading earlier) {
        return wattHours - earlier.wattHours;
    }

    public Reading withWattHours(long value) {
        // a corrected value keeps its time
        var when = at;
        var meter = meterId;

        return new Reading(meter, when, value);
    }
}
