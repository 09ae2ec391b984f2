package net.invoicepress.tax;

import java.util.Map;

/** Rates of the tax, in percent. */
final class TaxRates {

    private static final Map<String, Integer> RATES =
            Map.of("full", 19, "reduced", 7, "none", 0);

    private TaxRates() {}

    // books, food and tickets
    // have the reduced rate;
    // who sells them says so
    static int rate(String kind, String country) {
        if (!country.equals("DE")) {
            return 0;
        }
        return RATES.get(kind);
    }

    /** The tax in a net sum, rounded half up. */
    static long tax(long netCents, int percent) {
        return (netCents * percent + 50) / 100;
    }

    static String remark(String country) {
        return country.equals("DE") ? "" : "The recipient owes the tax.";
    }
}
