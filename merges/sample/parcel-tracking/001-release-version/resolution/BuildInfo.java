package io.parcelhop.tracking;

import java.util.Locale;

/** What this build calls itself in logs, in the User-Agent header and on the status page. */
public final class BuildInfo {

    public static final String NAME = "parcel-tracking";

    public static final String VERSION = "2.5.0-SNAPSHOT";

    private BuildInfo() {
    }

    /** The value of the User-Agent header on every call to a carrier. */
    public static String userAgent() {
        return NAME + "/" + VERSION;
    }

    /** True when this build may be shown to customers. */
    public static boolean isRelease() {
        return !VERSION.toUpperCase(Locale.ROOT).endsWith("-SNAPSHOT");
    }
}
