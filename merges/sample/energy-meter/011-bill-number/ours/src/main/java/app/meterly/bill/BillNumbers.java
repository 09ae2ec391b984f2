package app.meterly.bill;

import java.time.YearMonth;

/** Numbers of bills: month, household and a digit to check. */
public class BillNumbers {

    public String next(Household household, YearMonth month) {
        if (household == null) {
            return "";
        }
        var text = "%d%02d-%06d".formatted(
                month.getYear(), month.getMonthValue(), household.id());
        return text + "-" + checkDigit(text);
    }

    private static int checkDigit(String text) {
        int sum = 0;
        for (int i = 0; i < text.length(); i++) {
            if (text.charAt(i) == '-') continue;
            sum += (i % 3 + 1) * Character.digit(text.charAt(i), 10);
        }
        return sum % 10;
    }

    public boolean isValid(String number) {
        if (number.length() != 15) {
            return false;
        }
        var body = number.substring(0, 13);
        return number.equals(body + "-" + checkDigit(body));
    }

    public String printed(String number) {
        return number
                .replace('-', ' ')
                .trim();
    }
}
