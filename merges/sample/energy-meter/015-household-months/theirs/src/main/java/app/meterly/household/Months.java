package app.meterly.household;

import java.time.Instant;
import java.time.YearMonth;
import java.time.ZoneOffset;
import java.util.Objects;

/** Which month of a household's contract an instant falls into. */
public final class Months {
    private static final Log log = Log.of(Months.class);

    private Months() {}

    public static YearMonth of(Household household, Instant at) {
        Objects.requireNonNull(household, "no household");
        return YearMonth.from(at.atZone(ZoneOffset.UTC));
    }

    public static boolean isOpen(Household household, YearMonth month) {
        YearMonth start = household.start();
        YearMonth end = household.end();
        return month.compareTo(start) >= 0 && (end == null || month.compareTo(end) <= 0);
    }

    public static long count(Household household, YearMonth until) {
        YearMonth month = household.start();
        long count = 0;
        for (; month.isBefore(until); month = month.plusMonths(1)) {
            count += isOpen(household, month) ? 1 : 0;
        }
        return count;
    }
}
