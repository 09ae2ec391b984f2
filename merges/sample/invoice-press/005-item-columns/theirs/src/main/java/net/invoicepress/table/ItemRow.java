package net.invoicepress.table;

import java.util.List;

/** One line of the table, as text. */
record ItemRow(String article, String text, int pieces, int discount, long cents) {

    List<String> cells() {
        String count = Integer.toString(pieces);
        String price = Money.shown(cents);
        return List.of(text, count, discount + " %", price, Money.shown(sum()));
    }

    long sum() {
        return cents * pieces * (100 - discount) / 100;
    }
}
