package app.seatwise.booking.ticket;

import app.seatwise.booking.Booking;
import app.seatwise.booking.seat.Seat;
import java.time.format.DateTimeFormatter;
import java.util.StringJoiner;

/** Prints the tickets of a booking. */
public class TicketPrinter {

    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("d MMM yyyy, HH:mm");

    private final Paper paper;

    public TicketPrinter(Paper paper) {
        this.paper = paper;
    }

    public void print(Booking booking) {
        StringJoiner text = new StringJoiner("\n");
        text.add(booking.title());
        text.add(TIME.format(booking.start()));
        for (Seat seat : booking.seats()) {
            text.add("Row " + seat.row() + ", seat " + seat.place());
        }
        paper.print(text.toString());
    }
}
