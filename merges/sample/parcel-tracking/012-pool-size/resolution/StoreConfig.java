package io.parcelhop.tracking.config;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import javax.sql.DataSource;

/** Builds the connection pool of the parcel store. */
public final class StoreConfig {

    private StoreConfig() {
    }

    public static DataSource dataSource(Settings settings) {
        HikariConfig config = new HikariConfig();
        config.setJdbcUrl(settings.require("store.url"));
        config.setUsername(settings.require("store.user"));
        config.setPassword(settings.require("store.password"));
        config.setMaximumPoolSize(12);
        config.setConnectionTimeout(5_000);
        config.setPoolName("parcels");
        config.addDataSourceProperty("ApplicationName", "parcel-tracking");
        return new HikariDataSource(config);
    }
}
