package io.parcelhop.tracking.depot;

import io.parcelhop.tracking.events.TrackingEvent;
import io.parcelhop.tracking.model.Parcel;
import io.parcelhop.tracking.store.ParcelDao;
import java.time.Clock;
import java.util.List;

/** Moves all the parcels of a depot that closes to another depot. */
public class DepotTransfer {

    private final ParcelDao dao;
    private final Clock clock;

    public DepotTransfer(ParcelDao dao, Clock clock) {
        this.dao = dao;
        this.clock = clock;
    }

    /** Returns how many parcels were moved. */
    public int moveAll(String fromDepot, String toDepot) {
        int moved = 0;
        List<Parcel> parcels = dao.byDepot(fromDepot);
        for (Parcel parcel : parcels) {
            if (parcel.status().isLast()) {
                continue;
            }
            parcel.add(TrackingEvent.transfer(fromDepot, toDepot, clock.instant()));
            dao.update(parcel);
            moved++;
        }
        return moved;
    }
}
