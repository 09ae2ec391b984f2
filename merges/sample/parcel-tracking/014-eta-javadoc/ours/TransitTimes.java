package io.parcelhop.tracking.eta;

import io.parcelhop.tracking.model.ServiceLevel;
import java.time.Duration;

/**
 * How long a parcel travels between a depot and a postcode.
 *
 * <p>The answers come from the timetable of the trucks, not from measured deliveries, and hold for a
 * parcel that reaches the depot before its cut-off time. Implementations have to be thread-safe.
 */
public interface TransitTimes {

    /** The time for a normal parcel. */
    Duration between(String depotCode, String postcode);

    /** The time for a parcel that may have paid for more speed. */
    default Duration between(String depotCode, String postcode, ServiceLevel level) {
        Duration normal = between(depotCode, postcode);
        return level == ServiceLevel.EXPRESS ? normal.dividedBy(2) : normal;
    }
}
