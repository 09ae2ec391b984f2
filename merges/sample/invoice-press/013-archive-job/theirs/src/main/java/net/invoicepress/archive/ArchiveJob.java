package net.invoicepress.archive;

import java.nio.file.Path;
import net.invoicepress.ftp.FtpClient;
import net.invoicepress.ftp.Mode;

/** Copies what was pressed today. */
final class ArchiveJob {

    private final FtpClient client;

    private static final String FOLDER = "/srv/archive";
    private static final System.Logger LOG = System.getLogger("archive");

    ArchiveJob(FtpClient client) {
        this.client = client.with(Mode.PASSIVE);
    }

    /** Copies one file, and says under which name. */
    String copy(Path file, int year) {
        String name = file.getFileName().toString();
        // the same name in two
        // years must not clash
        client.open();
        client.put("invoices/" + year + "/" + name, file);
        client.close();
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
