package app.meterly.reading;

import java.util.List;

/** What is wrong with a meter's values of a day. */
public final class ReadingChecks {

    private static final long MOST_PER_DAY = 400_000;

    private ReadingChecks() {}

    public static boolean isPlausible(Reading first, Reading last) {
        if (!first.isFrom(last.meterId())) {
            return false;
        }
        return last.since(first) <= MOST_PER_DAY;
    }

    public static long total(List<Reading> day) {
        if (day.isEmpty()) {
            return 0;
        }
        return day.get(day.size() - 1).since(day.get(0));
    }
}
