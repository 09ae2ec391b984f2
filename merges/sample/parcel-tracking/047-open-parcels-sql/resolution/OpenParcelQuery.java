package io.parcelhop.tracking.store;

import java.util.List;
import org.springframework.jdbc.core.JdbcTemplate;

/** Lists the parcels that still lie in a depot. */
public class OpenParcelQuery {

    private static final String SQL = """
            select p.code, p.status, d.city
            from parcel p
            join depot d on d.code = p.depot
            where p.depot = ? and p.status not in ('DELIVERED', 'LOST') and p.deleted_at is null
            order by p.arrived_at, p.code
            """;

    private final JdbcTemplate jdbc;

    public OpenParcelQuery(JdbcTemplate jdbc) {
        this.jdbc = jdbc;
    }

    public List<OpenParcel> inDepot(String depot) {
        return jdbc.query(SQL, (row, number) -> new OpenParcel(
                row.getString("code"), row.getString("status"), row.getString("city")), depot);
    }

    public record OpenParcel(String code, String status, String city) {
    }
}
