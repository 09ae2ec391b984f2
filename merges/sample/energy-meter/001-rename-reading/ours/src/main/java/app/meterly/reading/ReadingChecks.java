package app.meterly.reading;

import java.util.List;

/** What is wrong with a meter's values of a day. */
public final class ReadingChecks {

    private static final long MOST_PER_DAY = 400_000;
    private static final int WEAKEST_SIGNAL = -110;

    private ReadingChecks() {}

    public static boolean isPlausible(Reading first, Reading last) {
        if (!first.isFrom(last.meterId())) {
            return false;
        }
        long used = last.since(first);
        return used >= 0 && used <= MOST_PER_DAY;
    }

    public static long total(List<Reading> day) {
        if (day.isEmpty()) {
            return 0;
        }
        return day.getLast().since(day.getFirst());
    }
}
