package app.meterly.export;

import java.util.Locale;

/** A row of the file that customers download. */
public record CsvRow(String text, double kwh, double euros) {

    /** The row, with the signs that the customer's spreadsheet expects. */
    public String render(Locale locale) {
        return text + ";" + kwh + ";" + euros;
    }

    public boolean isRefund() {
        return euros <= -0.01;
    }

    /** In quotes, as a tariff's name may hold a semicolon. */
    static String quoted(String text) {
        String known = text == null ? "" : text;
        return '"' + known + '"';
    }
}
