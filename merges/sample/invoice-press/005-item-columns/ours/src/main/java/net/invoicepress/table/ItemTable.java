package net.invoicepress.table;

import java.util.List;

/** The table in the middle of an invoice. */
final class ItemTable {

    static final int PAGE_WIDTH = 170;

    static List<Column> columns() {
        return List.of(
                new Column("Text", 70),
                new Column("Article", 20),
                new Column("Pieces", 15),
                new Column("Price", 25),
                new Column("Sum", 25));
    }

    /** How much room is left for the text, in millimetres. */
    static int rest() {
        int rest = PAGE_WIDTH;
        for (Column column : columns()) {
            rest -= column.width();
        }
        return rest;
    }

    static boolean fits() {
        // a line is half a millimetre
        // wide, which nobody sees
        return rest() >= columns().size() / 2;
    }
}
