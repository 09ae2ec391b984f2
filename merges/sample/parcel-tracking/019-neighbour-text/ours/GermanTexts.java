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
        // Anführungszeichen unten und oben, nicht die vom Tastenfeld
        return "Ihr Paket liegt beim „Nachbarn“.";
    }

    @Override
    public String expected(String weekday) {
        return "Wir kommen am " + WEEKDAYS.getOrDefault(weekday, "nächsten Werktag") + " zu Ihnen.";
    }
}
