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
        String sql = "select code from parcel where recipient like ? and postcode = ? order by code";
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            statement.setString(1, name + "%");
            statement.setString(2, postcode);
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
