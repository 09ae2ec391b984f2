package net.invoicepress.table;

import java.util.List;

/** The table in the middle of an invoice. */
final class ItemTable {

    static final int PAGE_WIDTH = 170;

    static List<Column> columns() {
        return List.of(
                new Column("Text", 70),
                new Column("Pieces", 12),
                new Column("Discount", 18),
                new Column("Price", 25),
                new Column("Sum", 25));
    }

    /** How much room is left for the text, in millimetres. */
    static int rest() {
        return PAGE_WIDTH - columns().stream().mapToInt(Column::width).sum();
    }

    static boolean fits() {
        // a line is half a millimetre
        // wide, which nobody sees
        return rest() >= 0;
    }
}
