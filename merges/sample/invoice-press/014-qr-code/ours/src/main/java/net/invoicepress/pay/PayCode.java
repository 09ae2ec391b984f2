package net.invoicepress.pay;

import java.util.StringJoiner;

/** The square code that a bank's app reads. */
final class PayCode {

    static final String VERSION = "001";
    static final int MILLIMETRES = 36;

    private PayCode() {}

    /** The text in the code; each part stands on a line. */
    static String text(String name, String iban, long cents, String reference) {
        var lines = new StringJoiner("\n");
        lines.add("BCD").add(VERSION).add("1").add("SCT").add("");
        lines.add(name).add(iban).add(euros(cents));
        lines.add("").add(reference);
        return lines.toString();
    }

    static boolean isNeeded(long cents) {
        return cents > 0;
    }

    /** The name of the picture. */
    static String picture(String number) {
        // a number may have a stroke
        String plain = number.replace("/", "-");
        return plain + ".svg";
    }

    // banks cut what is longer, and some
    // refuse it, so it is cut here; a sum
    // has a point, whatever the language
    static String euros(long cents) {
        return "EUR%d.%02d".formatted(cents / 100, cents % 100);
    }
}
