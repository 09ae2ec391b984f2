package io.parcelhop.tracking.model;

import java.util.Locale;
import java.util.regex.Pattern;

/** The code on the label, such as PH0012345678DE. */
public final class TrackingCode {

    private static final Pattern FORM = Pattern.compile("[A-Za-z]{2}\\d{10}[A-Za-z]{2}");

    private final String value;

    public TrackingCode(String value) {
        if (!FORM.matcher(value).matches()) {
            throw new IllegalArgumentException("not a tracking code: " + value);
        }
        this.value = value.toUpperCase(Locale.ROOT);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof TrackingCode code && value.equals(code.value);
    }

    @Override
    public int hashCode() {
        return value.hashCode();
    }

    /** The country that the parcel was posted in. */
    public String country() {
        return value.substring(value.length() - 2);
    }

    @Override
    public String toString() {
        return value;
    }
}
