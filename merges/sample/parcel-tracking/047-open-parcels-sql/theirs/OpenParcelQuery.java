package io.parcelhop.tracking.store;

import java.util.List;
import org.springframework.jdbc.core.JdbcTemplate;

/** Lists the parcels that still lie in a depot. */
public class OpenParcelQuery {

    private static final String SQL = """
            select code, status
            from parcel
            where depot = ? and status not in ('DELIVERED', 'LOST') and deleted_at is null
            order by arrived_at, code
            """;

    private final JdbcTemplate jdbc;

    public OpenParcelQuery(JdbcTemplate jdbc) {
        this.jdbc = jdbc;
    }

    public List<OpenParcel> inDepot(String depot) {
        return jdbc.query(SQL, (row, number) -> new OpenParcel(
                row.getString("code"), row.getString("status")), depot);
    }

    public record OpenParcel(String code, String status) {
    }
}
