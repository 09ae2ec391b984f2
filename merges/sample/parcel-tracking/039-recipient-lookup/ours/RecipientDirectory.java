package io.parcelhop.tracking.recipient;

import java.util.NoSuchElementException;
import java.util.Optional;

/** Finds the recipient of a parcel. */
public class RecipientDirectory {

    private final RecipientTable table;
    private final RecipientArchive archive;

    public RecipientDirectory(RecipientTable table, RecipientArchive archive) {
        this.table = table;
        this.archive = archive;
    }

    /** Nothing when nobody is known for the code. */
    public Optional<Recipient> find(String trackingCode) {
        return Optional.ofNullable(table.get(trackingCode));
    }

    /** The name as it stands on the label. */
    public String nameOnLabel(String trackingCode) {
        return find(trackingCode)
                .map(recipient -> recipient.company().isEmpty() ? recipient.name() : recipient.company())
                .orElseThrow(() -> new NoSuchElementException(trackingCode));
    }
}
