package app.seatwise.booking.rules;

import app.seatwise.booking.Showing;
import java.time.DayOfWeek;

/** What may still be sold, and when. */
public class SalesRules {

    private static final int KEPT_FOR_STAFF = 4;

    /** Seats that can still be sold. */
    public int left(Showing showing) {
        int capacity = showing.capacity() - KEPT_FOR_STAFF;
        return Math.max(0, capacity - showing.sold());
    }

    /** True while tickets are sold on the web; after that only at the door. */
    public boolean isOpen(Showing showing) {
        return showing.minutesToStart() > 30 && left(showing) > 0;
    }
}
