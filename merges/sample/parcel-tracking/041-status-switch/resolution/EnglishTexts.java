package io.parcelhop.tracking.text;

import io.parcelhop.tracking.model.Parcel;
import io.parcelhop.tracking.model.ParcelStatus;

/** One English sentence for each state. */
public class EnglishTexts {

    public String sentence(Parcel parcel) {
        ParcelStatus status = parcel.status();
        return switch (status) {
            case ANNOUNCED -> "The shop has told us about your parcel.";
            case OUT_FOR_DELIVERY -> "Your parcel is on the van.";
            case READY_IN_LOCKER -> "Your parcel waits in locker " + parcel.locker() + ".";
            case DELIVERED -> "Your parcel has arrived.";
            case LOST -> "We are sorry: your parcel is lost. You will hear from us.";
            default -> "Your parcel is on its way.";
        };
    }

    public String subject(Parcel parcel) {
        return "Parcel " + parcel.code() + ": " + sentence(parcel);
    }
}
