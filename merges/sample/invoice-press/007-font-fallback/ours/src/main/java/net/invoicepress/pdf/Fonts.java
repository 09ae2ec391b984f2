package net.invoicepress.pdf;

import java.util.List;

/** The fonts that the press knows. */
final class Fonts {

    private final List<Font> known;

    Fonts(List<Font> known) {
        if (known.isEmpty()) {
            throw new IllegalArgumentException("no font");
        }
        this.known = List.copyOf(known);
    }

    /** The font for a text, by its name. */
    Font named(String name, String text) {
        for (Font font : known) {
            if (font.name().equalsIgnoreCase(name)) {
                return font;
            }
        }
        // the name comes from the
        // shop's settings
        return known.get(0);
    }

    /** How wide a text is, in points. */
    double width(String name, String text, double size) {
        Font font = named(name, text);
        double sum = 0;
        for (char sign : text.toCharArray()) {
            sum += font.width(sign);
        }
        return sum * size / 1000;
    }
}
