package io.parcelhop.tracking.text;

import io.parcelhop.tracking.model.Parcel;
import io.parcelhop.tracking.model.ParcelStatus;

/** One English sentence for each state. */
public class EnglishTexts {

    public String sentence(Parcel parcel) {
        ParcelStatus status = parcel.status();
        switch (status) {
            case ANNOUNCED:
                return "The shop has told us about your parcel.";
            case OUT_FOR_DELIVERY:
                return "Your parcel is on the van.";
            case DELIVERED:
                return "Your parcel has arrived.";
            case LOST:
                return "We cannot find your parcel.";
            default:
                return "Your parcel is on its way.";
        }
    }

    public String subject(Parcel parcel) {
        return "Parcel " + parcel.code() + ": " + sentence(parcel);
    }
}
