package io.parcelhop.tracking.carrier;

import io.parcelhop.tracking.model.Parcel;
import java.util.Currency;
import java.util.List;

/** What a carrier has to offer so that parcels can be handed to it. */
public interface CarrierAdapter {

    /** Short name in lower case, such as "nordlinie". */
    String name();

    Quote quote(Parcel parcel, Currency currency) throws CarrierException;

    /** Hands the parcels over; returns the codes that the carrier has given them. */
    List<String> handOver(List<Parcel> parcels) throws CarrierException;

    /** True when the carrier picks parcels up on that day. */
    default boolean picksUp(java.time.DayOfWeek day) {
        return day != java.time.DayOfWeek.SUNDAY;
    }
}
