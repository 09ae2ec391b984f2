package io.parcelhop.tracking.store;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;

/** Finds parcels by the name or the postcode of the recipient. */
class ParcelSearch {

    private final Connection connection;

    ParcelSearch(Connection connection) {
        this.connection = connection;
    }

    List<String> codes(String name, String postcode) throws SQLException {
        String sql = "select code from parcel where recipient like '" + name.replace("'", "''") + "%'"
                + " and postcode = '" + postcode.replace("'", "''") + "' order by code";
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            return read(statement.executeQuery());
        }
    }

    private static List<String> read(ResultSet rows) throws SQLException {
        List<String> codes = new ArrayList<>();
        while (rows.next()) {
            codes.add(rows.getString("code"));
        }
        return codes;
    }
}
