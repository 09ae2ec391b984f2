package app.meterly.meter;

/** Units in which a meter counts, as printed on bills. */
public final class Units {

    private Units() {}

    public static String of(MeterKind kind) {
        return switch (kind) {
            case POWER -> "kWh";
            case GAS -> "m³";
            case WATER -> "litres";
        };
    }

    public static boolean isVolume(MeterKind kind) {
        // only what flows has a volume
        String unit = of(kind);
        return unit.equals("m³") || unit.equals("litres");
    }

    public static String plural(MeterKind kind, long count) {
        return count + " " + of(kind);
    }
}
