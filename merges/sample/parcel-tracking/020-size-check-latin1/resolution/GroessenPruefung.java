package io.parcelhop.tracking.rules;

/** Prüft die Maße eines Pakets. Alle Längen in Millimeter. */
public class GroessenPruefung {

    private static final int MAX_LAENGE = 1200;
    private static final int MAX_GURTMASS = 3000;

    public boolean istErlaubt(int laenge, int breite, int hoehe) {
        if (laenge <= 0 || breite <= 0 || hoehe <= 0) {
            return false;
        }
        // Gurtmaß: Länge plus Umfang über die größte Fläche, auch für Rollen
        int umfang = 2 * (breite + hoehe);
        return laenge <= MAX_LAENGE && laenge + umfang <= MAX_GURTMASS;
    }

    /** Für die Anzeige am Schalter. */
    public String grenze() {
        return "höchstens " + MAX_LAENGE / 10 + " cm";
    }
}
