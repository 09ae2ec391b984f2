package io.parcelhop.tracking.scan;

import io.parcelhop.tracking.depot.DepotIndex;
import io.parcelhop.tracking.model.Depot;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Reads the lines that the hand scanners send at the end of a shift. */
public class ScanImporter {

    private static final Logger LOG = LoggerFactory.getLogger(ScanImporter.class);

    private final DepotIndex depots;
    private final ScanSink sink;

    public ScanImporter(DepotIndex depots, ScanSink sink) {
        this.depots = depots;
        this.sink = sink;
    }

    /** Imports all the lines and returns how many of them were refused. */
    public int importAll(List<String> lines) {
        int refused = 0;
        for (String line : lines) {
            sink.accept(parse(line));
        }
        return refused;
    }

    private Scan parse(String line) {
        String[] cells = line.split(";", -1);
        Depot depot = depots.find(cells[1]);
        return new Scan(cells[0], depot, cells[2]);
    }

    /** Lines that look like scans at all; the scanners also send their own news. */
    static List<String> scansOnly(List<String> lines) {
        return lines.stream()
                .filter(line -> !line.isBlank())
                .filter(line -> !line.startsWith("#"))
                .filter(line -> line.chars().filter(c -> c == ';').count() == 2)
                .toList();
    }

    /** One scan of one parcel. */
    public record Scan(String code, Depot depot, String time) {

        public Scan {
            if (code.isEmpty()) {
                throw new IllegalArgumentException("scan without a code");
            }
        }
    }

    /** Where the scans go. */
    @FunctionalInterface
    public interface ScanSink {
        void accept(Scan scan);
    }
}
