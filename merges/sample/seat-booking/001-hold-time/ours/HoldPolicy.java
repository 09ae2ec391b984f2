package app.seatwise.booking.hold;

import java.time.Instant;

/** How long a seat is kept for a guest who has not paid yet. */
public final class HoldPolicy {

    public static final int HOLD_MINUTES = 15;

    private HoldPolicy() {
    }

    public static Instant expiry(Instant start) {
        return start.plusSeconds(HOLD_MINUTES * 60L);
    }

    public static boolean isExpired(Hold hold, Instant now) {
        return !now.isBefore(expiry(hold.start()));
    }
}
