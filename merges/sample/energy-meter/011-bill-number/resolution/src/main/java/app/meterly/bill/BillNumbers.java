package app.meterly.bill;

import java.time.YearMonth;

/** Numbers of bills: month, household and a digit to check. */
public class BillNumbers {

    public String next(Household household, YearMonth month) {
        if (household == null || household.isClosed()) {
            return "";
        }
        var text = "%d%02d-%06d".formatted(
                month.getYear(), month.getMonthValue(), household.id());
        return text + "-" + checkDigit(text);
    }

    private static int checkDigit(String text) {
        int sum = 0;
        int[] digits = text.chars().filter(Character::isDigit).map(c -> c - '0').toArray();
        for (int i = 0; i < digits.length; i++) {
            sum += (i % 3 + 1) * digits[i];
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
                .replace('-', '\u2009')
                .trim();
    }
}
