package io.parcelhop.tracking.rules;

import io.parcelhop.tracking.model.Parcel;
import java.util.Collection;

/** How heavy a parcel, and a whole delivery, may be. */
public final class WeightRules {

    static final long MAX_PARCEL_GRAMS = 31_500;

    private static final int BULKY_FACTOR = 2;

    private WeightRules() {
    }

    /** True when the courier can carry the parcel alone. */
    public static boolean isAllowed(Parcel parcel) {
        long grams = parcel.weightGrams();
        if (parcel.isBulky()) {
            grams *= BULKY_FACTOR;
        }
        return grams > 0 && grams <= MAX_PARCEL_GRAMS;
    }

    /** The weight of all the parcels, in grams. */
    public static long total(Collection<Parcel> parcels) {
        return parcels.stream().mapToLong(Parcel::weightGrams).sum();
    }
}
