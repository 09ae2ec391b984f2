package io.parcelhop.tracking.depot;

import io.parcelhop.tracking.model.*;
import java.util.*;
import java.util.stream.Collectors;

/** Finds a depot by its code, and all the depots of a region. */
public class DepotIndex {

    private final Map<String, Depot> byCode = new HashMap<>();

    public void put(Depot depot) {
        byCode.put(depot.code(), depot);
    }

    public Depot find(String code) {
        return byCode.get(code);
    }

    public List<Depot> inRegion(Region region) {
        if (region == null) {
            return Collections.emptyList();
        }
        return byCode.values().stream()
                .filter(depot -> depot.region() == region)
                .collect(Collectors.toList());
    }
}
