package app.seatwise.booking.ticket;

import app.seatwise.booking.Booking;
import app.seatwise.booking.seat.Seat;
import com.google.zxing.qrcode.QRCodeWriter;
import java.util.StringJoiner;

/** Prints the tickets of a booking. */
public class TicketPrinter {

    private final Paper paper;
    private final QRCodeWriter codes = new QRCodeWriter();

    public TicketPrinter(Paper paper) {
        this.paper = paper;
    }

    public void print(Booking booking) {
        StringJoiner text = new StringJoiner("\n");
        text.add(booking.title());
        text.add(booking.start().toString());
        for (Seat seat : booking.seats()) {
            text.add("Row " + seat.row() + ", seat " + seat.place());
        }
        paper.print(text.toString());
        paper.image(QrImage.of(codes, booking.reference()));
    }
}
