package app.meterly.reading;

import static java.time.temporal.ChronoUnit.SECONDS;

import java.time.Instant;

/** One value that a household's meter sent, with the radio's strength. */
public record Reading(String meterId, Instant at, long units, int signal) {

    public boolean isFrom(String id) {
        return meterId.equals(id);
    }

    /** What was used between two values. */
    public long since(Reading earlier) {
        long used = units - earlier.units;
        return used < 0 ? 0 : used;
    }

    public Reading withUnits(long value) {
        // a corrected value keeps its time
        var when = at;
        var meter = meterId;

        return new Reading(meter, when.truncatedTo(SECONDS), value, signal);
    }
}
