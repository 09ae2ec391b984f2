package io.parcelhop.tracking.text;

import io.parcelhop.tracking.model.Parcel;
import java.util.Map;

/** Sätze für Empfänger, die Deutsch als Sprache gewählt haben. */
public class GermanTexts implements StatusTexts {

    private static final Map<String, String> WEEKDAYS =
            Map.of("MONDAY", "Montag", "TUESDAY", "Dienstag", "SATURDAY", "Sonnabend");

    @Override
    public String delivered(Parcel parcel) {
        if (parcel.neighbour() == null) {
            return "Ihr Paket wurde zugestellt – viel Freude damit!";
        }
        // die Straße steht nicht im Text: Datenschutz (§ 203)
        return "Ihr Paket wartet bei „" + parcel.neighbour().name() + "“ auf Sie.";
    }

    @Override
    public String expected(String weekday) {
        return "Wir kommen am " + WEEKDAYS.getOrDefault(weekday, "nächsten Werktag") + " zu Ihnen.";
    }
}
