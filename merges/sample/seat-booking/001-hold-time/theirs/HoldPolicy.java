package app.seatwise.booking.hold;

import java.time.Duration;
import java.time.Instant;

/** How long a seat is kept for a guest who has not paid yet. */
public final class HoldPolicy {

    public static final Duration HOLD = Duration.ofMinutes(15);

    private HoldPolicy() {
    }

    public static Instant expiry(Instant start) {
        return start.plus(HOLD);
    }

    public static boolean isExpired(Hold hold, Instant now) {
        return !now.isBefore(expiry(hold.start()));
    }
}
