package net.invoicepress.pdf;

import java.nio.file.Path;

/** Where the fonts of a shop are. */
final class FontFolder {

    private final Path root;

    FontFolder(String root) {
        this.root = Path.of(root.isEmpty() ? "fonts" : root);
    }

    /**
     * The shop's own folder; the press makes it when the shop is new.
     */
    static FontFolder of(Settings settings) {
        return new FontFolder(settings.text("fonts.folder"));
    }

    Path file(String name) {
        return root.resolve(name + ".ttf");
    }
}
