package io.parcelhop.tracking.delivery;

import io.parcelhop.tracking.events.EventBus;
import io.parcelhop.tracking.events.TrackingEvent;
import io.parcelhop.tracking.model.Parcel;
import io.parcelhop.tracking.model.ParcelStatus;
import io.parcelhop.tracking.store.ParcelStore;
import jakarta.inject.Inject;
import java.time.Instant;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a courier reports from the road.
 *
 * <p>Couriers may report late and out of order, so no method here trusts the state of a parcel blindly.
 */
public class DeliveryService {

    private static final Logger LOG = LoggerFactory.getLogger(DeliveryService.class);
    private static final int MAX_ATTEMPTS = 3;

    @Inject
    private ParcelStore store;
    @Inject
    private EventBus bus;

    /** The parcels that the courier has to take along, in the order of his tour. */
    public List<Parcel> load(String courier, LocalDate day) {
        List<Parcel> loaded = new ArrayList<>();
        for (Parcel parcel : store.tour(courier, day)) {
            if (parcel.status() == ParcelStatus.OUT_FOR_DELIVERY) {
                LOG.warn("{} is on a van already", parcel.code());
                continue;
            }
            parcel.setStatus(ParcelStatus.OUT_FOR_DELIVERY);
            store.save(parcel);
            loaded.add(parcel);
        }
        return loaded;
    }

    /** The recipient has taken the parcel. */
    public void delivered(String code, Optional<Signature> signature) {
        Parcel parcel = store.require(code);
        if (parcel.status() == ParcelStatus.DELIVERED) {
            return;
        }
        TrackingEvent event = TrackingEvent.delivered(Instant.now(), signature);
        parcel.add(event);
        parcel.setStatus(ParcelStatus.DELIVERED);
        store.save(parcel);
        bus.publish(event);
    }

    /** Nobody was at home. Returns the day of the next attempt, or nothing when the parcel goes back. */
    public Optional<LocalDate> failed(String code, String reason) {
        Parcel parcel = store.require(code);
        TrackingEvent event = TrackingEvent.failed(Instant.now(), reason);
        boolean back = parcel.attempts() + 1 >= MAX_ATTEMPTS;
        parcel.add(event);
        parcel.setStatus(back ? ParcelStatus.RETURNED : ParcelStatus.IN_TRANSIT);
        store.save(parcel);
        bus.publish(event);
        return back ? Optional.empty() : Optional.of(parcel.nextWorkday());
    }
}
