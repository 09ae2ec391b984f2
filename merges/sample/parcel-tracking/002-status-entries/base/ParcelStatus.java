package io.parcelhop.tracking.model;

/** The states that a parcel can be in, in the order it goes through them. */
public enum ParcelStatus {
    ANNOUNCED(false),
    ACCEPTED(false),
    IN_TRANSIT(false),
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
}
