package net.invoicepress.queue;

import java.nio.file.Files;
import java.nio.file.Path;

/** Looks for new orders. */
final class Watch {

    static boolean isOrder(Path file, String name) {
        return Files.isRegularFile(file) && name.endsWith(".xml");
    }

    /** Whether nobody writes to the file any more. */
    static boolean isWhole(Path file, long now) {
        return now - file.toFile().lastModified() > 2_000;
    }
}
