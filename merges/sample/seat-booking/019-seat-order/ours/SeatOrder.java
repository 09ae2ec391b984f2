package app.seatwise.booking.seat;

import java.util.Comparator;

/** Sorts seats from the stage to the back, and in a row from left to right. */
public final class SeatOrder implements Comparator<Seat> {

    public static final SeatOrder INSTANCE = new SeatOrder();

    private SeatOrder() {
    }

    @Override
    public int compare(Seat first, Seat second) {
        int byRow = Comparator.comparingInt(String::length).thenComparing(Comparator.naturalOrder())
                .compare(first.row(), second.row());
        return byRow != 0 ? byRow : Integer.compare(first.place(), second.place());
    }

    /** True when nobody can sit between the two seats. */
    public static boolean areNeighbours(Seat first, Seat second) {
        return first.row().equals(second.row()) && Math.abs(first.place() - second.place()) == 1;
    }
}
