package io.parcelhop.tracking.export;

import io.parcelhop.tracking.model.Parcel;

/** Writes a parcel in the formats that customers have asked for. */
public final class ParcelExport {

    private ParcelExport() {
    }

    /** One line of comma separated values. */
    public static String toCsv(Parcel parcel) {
        return String.join(",", parcel.code(), parcel.status().name(), parcel.postcode());
    }

    /** @deprecated use {@link #toJson(Parcel)} */
    @Deprecated
    public static String toXml(Parcel parcel) {
        return "<parcel code=\"" + Xml.escape(parcel.code()) + "\">"
                + "<status>" + parcel.status() + "</status>"
                + "<recipient>" + Xml.escape(parcel.recipient()) + "</recipient>"
                + "</parcel>";
    }

    /** A JSON object without line breaks. */
    public static String toJson(Parcel parcel) {
        return new JsonLine()
                .put("code", parcel.code())
                .put("status", parcel.status().name())
                .put("recipient", parcel.recipient())
                .toString();
    }
}
