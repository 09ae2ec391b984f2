package app.meterly.export;

import java.util.Locale;

/** A row of the file that customers download, in UTF-8. */
public record CsvRow(String text, double kwh, double euros) {

    /** The row, with the signs that the customer's spreadsheet expects. */
    public String render(Locale locale) {
        String amount = String.valueOf(euros).replace('.', ',');
        return quoted(text) + ";" + kwh + ";" + amount;
    }

    public boolean isRefund() {
        return euros <= -0.01;
    }

    /** In quotes, as a tariff's name may hold a semicolon. */
    static String quoted(String text) {
        String known = text == null ? "" : text;
        return '"' + known.strip().replace("\"", "\"\"") + '"';
    }
}
