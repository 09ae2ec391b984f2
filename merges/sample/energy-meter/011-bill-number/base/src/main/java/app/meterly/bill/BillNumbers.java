package app.meterly.bill;

import java.time.YearMonth;

/** Numbers of bills: month, household and a digit to check. */
public class BillNumbers {

    public String next(Household household, YearMonth month) {
        var text = "%d%02d-%06d".formatted(
                month.getYear(), month.getMonthValue(), household.id());
        return text + "-" + checkDigit(text);
    }

    private static int checkDigit(String text) {
        int sum = 0;
        for (int i = 0; i < text.length(); i++) {
            sum += (i % 3 + 1) * Character.digit(text.charAt(i), 10);
        }
        return sum % 10;
    }

    public boolean isValid(String number) {
        if (number.length() != 15) {
            return false;
        }
        return number.endsWith("-" + checkDigit(number.substring(0, 13)));
    }

    public String printed(String number) {
        return number
                .replace('-', ' ')
                .trim();
    }
}
