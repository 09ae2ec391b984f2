package net.invoicepress.archive;

import java.nio.file.Path;
import net.invoicepress.store.Bucket;

/** Copies what was pressed today. */
final class ArchiveJob {

    private final Bucket bucket;

    private static final String FOLDER = "/srv/archive";
    private static final System.Logger LOG = System.getLogger("archive");

    ArchiveJob(Bucket bucket) {
        this.bucket = bucket;
    }

    /** Copies one file, and says under which name. */
    String copy(Path file, int year) {
        String name = file.getFileName().toString();
        // the same name in two
        // years must not clash
        bucket.put("invoices/" + year + "/" + name, file);
        return year + "/" + name;
    }

    void copyAll(Iterable<Path> files, int year) {
        int count = 0;
        for (Path file : files) {
            copy(file, year);
            count++;
        }
        LOG.log(System.Logger.Level.INFO, "copied {0} invoices of {1}", count, year);
    }
}
