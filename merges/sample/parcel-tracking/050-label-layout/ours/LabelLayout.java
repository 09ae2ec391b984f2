package io.parcelhop.tracking.label;

import io.parcelhop.tracking.model.Address;
import io.parcelhop.tracking.model.Parcel;
import java.util.Locale;

/**
 * Places the texts of a label on the paper, as commands of the printer.
 *
 * <p>The printers count in dots, eight to the millimetre, from the upper left corner.
 */
public class LabelLayout {

    private static final int DOTS_PER_MM = 8;
    private static final int LINE_MM = 5;

    private final Paper paper;
    private final StringBuilder commands = new StringBuilder();

    public LabelLayout(Paper paper) {
        this.paper = paper;
    }

    /** All the commands for one label. */
    public String layout(Parcel parcel) {
        commands.setLength(0);
        commands.append("^XA");
        address(parcel.sender(), 6, true);
        address(parcel.recipient(), 40, false);
        code(parcel);
        if (parcel.isBulky()) {
            frame();
        }
        commands.append("^XZ");
        return commands.toString();
    }

    private void address(Address address, int topMm, boolean small) {
        int left = small ? 6 : 22;
        int size = small ? 3 : 5;
        int line = 0;
        for (String text : address.lines()) {
            text(left, topMm + line * LINE_MM, size, text);
            line++;
        }
    }

    private void code(Parcel parcel) {
        int top = paper.heightMm() - 45;
        commands.append(String.format(Locale.ROOT, "^FO%d,%d^BCN,%d,Y,N,N^FD%s^FS",
                paper.marginMm() * DOTS_PER_MM, top * DOTS_PER_MM, 30 * DOTS_PER_MM, parcel.code()));
    }

    private void frame() {
        commands.append(String.format(Locale.ROOT, "^FO8,8^GB%d,%d,6^FS",
                paper.widthMm() * DOTS_PER_MM - 16, paper.heightMm() * DOTS_PER_MM - 16));
    }

    private void text(int leftMm, int topMm, int sizeMm, String text) {
        commands.append(String.format(Locale.ROOT, "^FO%d,%d^A0N,%d^FD%s^FS",
                leftMm * DOTS_PER_MM, topMm * DOTS_PER_MM, sizeMm * DOTS_PER_MM, escape(text)));
    }

    private static String escape(String text) {
        return text.replace("\\", "\\1F").replace("^", "\\5E").replace("~", "\\7E");
    }
}
