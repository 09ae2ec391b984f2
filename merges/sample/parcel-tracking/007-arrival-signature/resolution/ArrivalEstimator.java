package io.parcelhop.tracking.eta;

import io.parcelhop.tracking.model.Parcel;
import io.parcelhop.tracking.model.ServiceLevel;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZonedDateTime;

/** Guesses when a parcel arrives. */
public class ArrivalEstimator {

    private static final int LAST_DELIVERY_HOUR = 20;

    private final Clock clock;
    private final TransitTimes times;

    public ArrivalEstimator(Clock clock, TransitTimes times) {
        this.clock = clock;
        this.times = times;
    }

    public ZonedDateTime estimate(Parcel parcel, String depot, ServiceLevel level, ZoneId zone) {
        Duration left = times.between(depot, parcel.postcode(), level);
        return notAtNight(clock.instant().plus(left).atZone(zone));
    }

    private static ZonedDateTime notAtNight(ZonedDateTime time) {
        if (time.getHour() < LAST_DELIVERY_HOUR) {
            return time;
        }
        return time.plusDays(1).withHour(9).withMinute(0);
    }

    /** True when the parcel will not make it within the promised time. */
    public boolean isLate(Parcel parcel, String depot) {
        Duration left = times.between(depot, parcel.postcode());
        return clock.instant().plus(left).isAfter(parcel.promisedAt());
    }

    /** The time that the page shows: full quarters of an hour, never earlier than the estimate. */
    static Instant roundUp(Instant time) {
        long quarter = Duration.ofMinutes(15).toSeconds();
        long seconds = time.getEpochSecond();
        long rest = Math.floorMod(seconds, quarter);
        return Instant.ofEpochSecond(rest == 0 ? seconds : seconds + quarter - rest);
    }

    /** How sure we are, from 0 (a guess) to 1 (the van is in the street). */
    public double confidence(Parcel parcel) {
        return switch (parcel.status()) {
            case ANNOUNCED -> 0.1;
            case ACCEPTED -> 0.4;
            case IN_TRANSIT -> 0.6;
            case OUT_FOR_DELIVERY -> 0.9;
            default -> 1.0;
        };
    }
}
