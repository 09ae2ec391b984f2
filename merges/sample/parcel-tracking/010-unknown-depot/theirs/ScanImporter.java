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
            try {
                sink.accept(parse(line));
            } catch (UnknownDepotException e) {
                LOG.info("line refused: {}", e.getMessage());
                refused++;
            }
        }
        return refused;
    }

    private Scan parse(String line) {
        String[] cells = line.split(";", -1);
        Depot depot = depots.find(cells[1]);
        if (depot == null) {
            throw new UnknownDepotException(cells[1]);
        }
        return new Scan(cells[0], depot, cells[2].trim());
    }
}
