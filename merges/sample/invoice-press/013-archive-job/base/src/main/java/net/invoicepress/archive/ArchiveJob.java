package net.invoicepress.archive;

import java.nio.file.Path;
import net.invoicepress.ftp.FtpClient;

/** Copies what was pressed today. */
final class ArchiveJob {

    private final FtpClient client;

    private static final String FOLDER = "/srv/archive";
    private static final System.Logger LOG = System.getLogger("archive");

    ArchiveJob(FtpClient client) {
        this.client = client;
    }

    /** Copies one file, and says under which name. */
    String copy(Path file, int year) {
        String name = file.getFileName().toString();
        // the same name in two
        // years must not clash
        client.open();
        client.put(year + "/" + name, file);
        client.close();
        return year + "/" + name;
    }

    void copyAll(Iterable<Path> files, int year) {
        int count = 0;
        for (Path file : files) {
            copy(file, year);
            count++;
        }
        System.out.println("copied " + count);
    }
}
