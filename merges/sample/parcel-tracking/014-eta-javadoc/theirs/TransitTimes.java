package io.parcelhop.tracking.eta;

import io.parcelhop.tracking.model.ServiceLevel;
import java.time.Duration;

/**
 * Gives the transit time. Its thread safe.
 * Times are taken from the timetable.
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
