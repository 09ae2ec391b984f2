package io.parcelhop.tracking.depot;

import io.parcelhop.tracking.events.TrackingEvent;
import io.parcelhop.tracking.model.Parcel;
import io.parcelhop.tracking.store.ParcelStore;
import java.time.Clock;
import java.util.List;

/** Moves all the parcels of a depot that closes to another depot. */
public class DepotTransfer {

    private final ParcelStore store;
    private final Clock clock;

    public DepotTransfer(ParcelStore store, Clock clock) {
        this.store = store;
        this.clock = clock;
    }

    /** Returns how many parcels were moved. */
    public int moveAll(String fromDepot, String toDepot) {
        int moved = 0;
        List<Parcel> parcels = store.findAll(fromDepot);
        for (Parcel parcel : parcels) {
            if (parcel.status().isLast()) {
                continue;
            }
            parcel.add(TrackingEvent.transfer(fromDepot, toDepot, clock.instant()));
            store.save(parcel);
            moved++;
        }
        return moved;
    }
}
