package app.meterly.export;

import java.util.Locale;

/** A row of the file that customers download, in UTF-8. */
public record CsvRow(String text, double kwh, double euros) {

    /** The row, with the signs that the customer's spreadsheet expects. */
    public String render(Locale locale) {
        return String.format(locale, "%s;%.1f;%.2f", quoted(text), kwh, euros);
    }

    public boolean isRefund() {
        return euros < 0;
    }

    /** In quotes, as a tariff's name may hold a semicolon. */
    static String quoted(String text) {
        String known = text == null ? "" : text;
        return '"' + known.strip().replace("\"", "\"\"") + '"';
    }
}
