package net.invoicepress;

import java.util.ArrayList;
import java.util.List;

/** The lines above the table of items. */
final class HeadBlock {

    private HeadBlock() {}

    static List<String> lines(Invoice invoice) {
        var lines = new ArrayList<String>();
        lines.add("Invoice " + invoice.number());
        lines.add("Date " + invoice.date());
        lines.add("For " + invoice.customer().name());
        return lines;
    }

    /** The address, as it shows in the window of the envelope. */
    static String address(Customer customer) {
        return customer.address();
    }

    static String greeting(String language) {
        // anything that is not known
        // gets the English words
        return "Good day";
    }
}
