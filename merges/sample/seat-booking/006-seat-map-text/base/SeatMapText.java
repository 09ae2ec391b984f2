package app.seatwise.booking.seat;

import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** Draws a hall as text, for the box office and for bug reports. */
public final class SeatMapText {

    private SeatMapText() {
    }

    public static String draw(SeatMap map) {
        String text = "";
        for (int row = 0; row < map.rows(); row++) {
            for (int place = 0; place < map.places(row); place++) {
                text += map.isFree(row, place) ? "." : "X";
            }
            text += "\n";
        }
        return text;
    }

    public static String legend() {
        return ". free, X taken";
    }
}
