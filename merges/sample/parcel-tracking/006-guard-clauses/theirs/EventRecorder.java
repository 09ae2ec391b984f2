package io.parcelhop.tracking.events;

import io.parcelhop.tracking.model.Parcel;
import io.parcelhop.tracking.store.ParcelStore;
import java.time.Clock;

/** Adds an event to a parcel and tells the listeners. */
public class EventRecorder {

    private final ParcelStore store;
    private final EventBus bus;
    private final Clock clock;

    public EventRecorder(ParcelStore store, EventBus bus, Clock clock) {
        this.store = store;
        this.bus = bus;
        this.clock = clock;
    }

    /**
     * Records one event.
     *
     * @throws IllegalArgumentException when the event does not fit the parcel
     */
    public void record(String trackingCode, TrackingEvent event) {
        Parcel parcel = store.find(trackingCode);
        if (parcel == null) {
            throw new IllegalArgumentException("no parcel " + trackingCode);
        }
        if (event.at().isAfter(clock.instant())) {
            throw new IllegalArgumentException("event lies in the future: " + event.at());
        }
        parcel.add(event);
        store.save(parcel);
        bus.publish(trackingCode, event);
    }
}
