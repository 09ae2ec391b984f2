package net.invoicepress.numbers;

import java.sql.Connection;
import java.sql.SQLException;

/** Numbers without gaps, as the law wants them. */
final class NumberRange {

    private static final String NEXT =
            "SELECT last FROM ranges WHERE year = ? FOR UPDATE";
    private static final String SAVE = "UPDATE ranges SET last = ? WHERE year = ?";

    private final Connection connection;

    NumberRange(Connection connection) {
        this.connection = connection;
    }

    /** The next number of a year; call it in the transaction that saves the invoice. */
    int next(int year) throws SQLException {
        connection.setAutoCommit(false);
        int next = ask(NEXT, year) + 1;
        tell(SAVE, next, year);
        return next;
    }

    private int ask(String sql, int year) throws SQLException {
        try (var statement = connection.prepareStatement(sql)) {
            statement.setInt(1, year);
            var rows = statement.executeQuery();
            rows.next();
            return rows.getInt(1);
        }
    }

    private void tell(String sql, int value, int year) throws SQLException {
        try (var statement = connection.prepareStatement(sql)) {
            statement.setInt(1, value);
            statement.setInt(2, year);
            statement.executeUpdate();
        }
    }

    /** A number as it is printed. */
    static String shown(int year, int number) {
        // five digits do for
        // every shop we know
        return "%d-%05d".formatted(year, number);
    }
}
