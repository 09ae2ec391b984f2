package app.seatwise.booking.wait;

import app.seatwise.booking.Guest;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Optional;

/** The guests who wait for a seat of one showing, first come first served. */
public class Waitlist {

    private final Deque<Guest> guests = new ArrayDeque<>();

    /** Adds the guest and returns his place, counted from 1. */
    public synchronized int join(Guest guest) {
        guests.addLast(guest);
        return guests.size();
    }

    /** Takes the next guest who gets a seat. */
    public synchronized Optional<Guest> next() {
        return Optional.ofNullable(guests.pollFirst());
    }

    /** The place of a guest counted from 1, or 0 when he does not wait. */
    public synchronized int placeOf(Guest guest) {
        int place = 0;
        for (Guest waiting : guests) {
            place++;
            if (waiting.equals(guest)) {
                return place;
            }
        }
        return 0;
    }

    /** Takes a guest off the list; false when he was not on it. */
    public synchronized boolean leave(Guest guest) {
        return guests.remove(guest);
    }

    public synchronized boolean isEmpty() {
        return guests.isEmpty();
    }
}
