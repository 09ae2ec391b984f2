package io.parcelhop.tracking.route;

import java.util.LinkedHashMap;
import java.util.Map;

/** Keeps the routes that were asked for last. */
public class RouteCache extends LinkedHashMap<RouteKey, Route> {

    private static final int MAX_ENTRIES = 500;

    private long hits;
    private long misses;

    public RouteCache() {
        super(64, 0.75f, true);
    }

    @Override
    public Route get(Object key) {
        Route route = super.get(key);
        System.err.printf("### %s -> %s (identity %x)%n", key, route, System.identityHashCode(key));
        if (route == null) {
            misses++;
        } else {
            hits++;
        }
        return route;
    }

    @Override
    protected boolean removeEldestEntry(Map.Entry<RouteKey, Route> eldest) {
        return size() > MAX_ENTRIES;
    }

    public double hitRate() {
        return hits + misses == 0 ? 0.0 : (double) hits / (hits + misses);
    }
}
