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

    /** Looks into the archive too; nothing when nobody is known for the code. */
    public Optional<Recipient> find(String trackingCode) {
        Recipient recipient = table.get(trackingCode);
        if (recipient == null) {
            recipient = archive.load(trackingCode);
            if (recipient != null) {
                table.put(trackingCode, recipient);
            }
        }
        return Optional.ofNullable(recipient);
    }

    /** The name as it stands on the label. */
    public String nameOnLabel(String trackingCode) {
        return find(trackingCode)
                .map(recipient -> recipient.company().isEmpty() ? recipient.name() : recipient.company())
                .orElseThrow(() -> new NoSuchElementException(trackingCode));
    }

    /** The first line under the name; empty for a private address. */
    public String careOf(Recipient recipient) {
        if (recipient.company().isEmpty() || recipient.name().isEmpty()) {
            return "";
        }
        return "attn. " + recipient.name();
    }

    /** Two recipients are neighbours when the street is the same and the numbers are at most four apart. */
    public boolean areNeighbours(Recipient first, Recipient second) {
        return first.street().equalsIgnoreCase(second.street())
                && first.postcode().equals(second.postcode())
                && Math.abs(first.houseNumber() - second.houseNumber()) <= 4;
    }
}
