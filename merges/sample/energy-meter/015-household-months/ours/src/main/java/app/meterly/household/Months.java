package app.meterly.household;

import java.time.Instant;
import java.time.YearMonth;
import java.time.ZoneOffset;

/** Which month of a household's contract an instant falls into. */
public final class Months {
    private static final Log log = Log.of(Months.class);

    private Months() {}

    public static YearMonth of(Household household, Instant at) {
        log.trace("month of {} at {}", household.id(), at);
        return YearMonth.from(at.atZone(ZoneOffset.UTC));
    }

    public static boolean isOpen(Household household, YearMonth month) {
        YearMonth start = household.start();
        return !month.isBefore(start) && !month.isAfter(household.end());
    }

    public static long count(Household household, YearMonth until) {
        YearMonth month = household.start();
        long count = 0;
        for (; !month.isAfter(until); month = month.plusMonths(1)) {
            count += isOpen(household, month) ? 1 : 0;
        }
        return count;
    }
}
