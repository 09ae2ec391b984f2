package io.parcelhop.tracking.model;

/** The states that a parcel can be in, in the order it goes through them. */
public enum ParcelStatus {
    ANNOUNCED(false),
    ACCEPTED(false),
    IN_TRANSIT(false),
    HELD_BY_CUSTOMS(false),
    OUT_FOR_DELIVERY(false),
    DELIVERED(true),
    RETURNED(true),
    LOST(true);

    private final boolean last;

    ParcelStatus(boolean last) {
        this.last = last;
    }

    /** True when no event can follow this state. */
    public boolean isLast() {
        return last;
    }

    /** True when the parcel lies in one of our buildings or vans. */
    public boolean isWithUs() {
        return ordinal() >= ACCEPTED.ordinal() && ordinal() <= OUT_FOR_DELIVERY.ordinal();
    }

    /**
     * Reads the name that a carrier has sent, in any case and with blanks or hyphens.
     *
     * @throws IllegalArgumentException when there is no such state
     */
    public static ParcelStatus parse(String name) {
        String wanted = name.trim().replace('-', '_').replace(' ', '_');
        for (ParcelStatus status : values()) {
            if (status.name().equalsIgnoreCase(wanted)) {
                return status;
            }
        }
        throw new IllegalArgumentException("unknown state of a parcel: " + name);
    }
}
