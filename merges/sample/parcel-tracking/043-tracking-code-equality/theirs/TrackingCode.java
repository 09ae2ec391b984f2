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
        this.value = value;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof TrackingCode && ((TrackingCode) other).value.equalsIgnoreCase(value);
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

    /**
     * True when the check digit, the last of the ten, fits the nine digits before it.
     *
     * <p>Each digit is weighed with 3 and 1 in turn; the sum with the check digit ends in 0.
     */
    public boolean hasGoodCheckDigit() {
        int sum = 0;
        for (int i = 0; i < 9; i++) {
            int digit = value.charAt(2 + i) - '0';
            sum += i % 2 == 0 ? 3 * digit : digit;
        }
        int check = value.charAt(11) - '0';
        return (sum + check) % 10 == 0;
    }

    /** The code in groups, as people read it out on the telephone. */
    public String spoken() {
        StringBuilder text = new StringBuilder(value.substring(0, 2));
        for (int start = 2; start < 12; start += 2) {
            text.append(' ').append(value, start, start + 2);
        }
        return text.append(' ').append(country()).toString();
    }
}
