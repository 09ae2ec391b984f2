package net.invoicepress.numbers;

import java.sql.Connection;
import java.sql.SQLException;

/** Numbers without gaps, as the law wants them. */
final class NumberRange {

    private static final String NEXT =
            "UPDATE ranges SET last = last + 1 WHERE year = ? RETURNING last";

    private final Connection connection;

    NumberRange(Connection connection) {
        this.connection = connection;
    }

    /** The next number of a year; call it in the transaction that saves the invoice. */
    int next(int year) throws SQLException {
        return ask(NEXT, year);
    }

    private int ask(String sql, int year) throws SQLException {
        try (var statement = connection.prepareStatement(sql)) {
            statement.setInt(1, year);
            var rows = statement.executeQuery();
            if (!rows.next()) {
                throw new SQLException("no range for " + year);
            }
            return rows.getInt(1);
        }
    }

    /** A number as it is printed. */
    static String shown(int year, int number) {
        // five digits do for
        // every shop we know
        return "%d-%05d".formatted(year, number);
    }
}
