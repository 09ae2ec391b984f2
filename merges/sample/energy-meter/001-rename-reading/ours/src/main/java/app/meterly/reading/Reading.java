package app.meterly.reading;

import java.time.Instant;

/** One value that a household's meter sent, with the radio's strength. */
public record Reading(String meterId, Instant at, long wattHours, int signal) {

    public boolean isFrom(String id) {
        return meterId.equals(id);
    }

    /** What was used between two values. */
    public long since(Reading earlier) {
        long used = wattHours - earlier.wattHours;
        return used < 0 ? 0 : used;
    }

    public Reading withWattHours(long value) {
        // a corrected value keeps its time
        var when = at;
        var meter = meterId;

        return new Reading(meter, when, value, signal);
    }
}
