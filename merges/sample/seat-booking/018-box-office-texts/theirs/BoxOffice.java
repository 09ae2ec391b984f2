package app.seatwise.booking.office;

import app.seatwise.booking.Booking;
import app.seatwise.booking.Guest;
import app.seatwise.booking.Showing;
import app.seatwise.booking.seat.Seat;
import app.seatwise.booking.seat.SeatMap;
import java.io.PrintWriter;
import java.util.List;

/** What the people behind the counter can do; one instance for each terminal. */
public class BoxOffice {

    private final Showings showings;
    private final Bookings bookings;
    private final PrintWriter screen;
    private Showing showing;

    public BoxOffice(Showings showings, Bookings bookings, PrintWriter screen) {
        this.showings = showings;
        this.bookings = bookings;
        this.screen = screen;
    }

    /** Runs one command line and writes the answer to the screen. */
    public void run(String line) {
        String[] words = line.trim().split("\\s+");
        switch (words[0]) {
            case "show" -> choose(words[1]);
            case "sell" -> sell(Seat.parse(words[1]), words.length > 2 ? words[2] : "cash");
            case "back" -> takeBack(words[1]);
            case "list" -> list();
            default -> screen.println("show, sell, back, list");
        }
        screen.flush();
    }

    private void choose(String name) {
        showing = showings.byName(name);
        screen.printf("%s, %d seats free%n", showing.title(), showing.capacity() - showing.sold());
    }

    private void sell(Seat seat, String payment) {
        SeatMap map = showings.mapOf(showing);
        if (!map.isFree(seat)) {
            screen.printf("Row %s, seat %d is sold already.%n", seat.row(), seat.place());
            return;
        }
        Booking booking = bookings.sell(showing, List.of(seat), Guest.ANONYMOUS, payment);
        screen.printf("sold, %s, %.2f%n", booking.reference(), booking.cents() / 100.0);
    }

    private void takeBack(String reference) {
        bookings.find(reference).ifPresentOrElse(
                booking -> {
                    bookings.cancel(booking);
                    screen.println("taken back");
                },
                () -> screen.println("no booking " + reference));
    }

    private void list() {
        for (Showing each : showings.today()) {
            screen.printf("%s %s %3d%n", each.start().toLocalTime(), each.title(), each.sold());
        }
    }
}
