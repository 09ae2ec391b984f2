package app.seatwise.booking.rules;

import app.seatwise.booking.Booking;
import java.time.Duration;
import java.time.Instant;

/** What a guest gets back for a ticket that he returns. */
public class RefundRules {

    private static final int FEE_CENTS = 250;

    /** The cents that go back to the guest; 0 when it is too late. */
    public long refundCents(Booking booking, Instant now) {
        boolean inTime = Duration.between(now, booking.startInstant()).toHours() >= 72;
        long cents = booking.cents() - FEE_CENTS;
        if (booking.showing().isCancelled()) {
            return booking.cents();
        }
        return inTime ? Math.max(0, cents) : 0;
    }
}
