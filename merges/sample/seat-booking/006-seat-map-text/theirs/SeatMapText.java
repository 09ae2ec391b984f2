package app.seatwise.booking.seat;

import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** Draws a hall as text, for the box office and for bug reports. */
public final class SeatMapText {

    private SeatMapText() {
    }

    public static String draw(SeatMap map) {
        return IntStream.range(0, map.rows())
                .mapToObj(row -> map.rowName(row) + " " + line(map, row))
                .collect(Collectors.joining("\n", "", "\n"));
    }

    private static String line(SeatMap map, int row) {
        return IntStream.range(0, map.places(row))
                .mapToObj(place -> (place == map.aisle() ? " " : "") + (map.isFree(row, place) ? "." : "X"))
                .collect(Collectors.joining());
    }

    public static String legend() {
        return ". free, X taken";
    }
}
