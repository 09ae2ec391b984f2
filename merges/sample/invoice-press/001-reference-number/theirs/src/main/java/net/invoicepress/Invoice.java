package net.invoicepress;

import java.time.LocalDate;
import java.util.List;

/** One invoice as it goes to the press. */
public record Invoice(
        String number,
        Recipient recipient,
        LocalDate date,
        List<Item> items) {

    /** What all items cost, tax included. */
    public long totalCents() {
        return items.stream().mapToLong(Item::grossCents).sum();
    }

    public LocalDate due() {
        return date.plusDays(30);
    }

    // the archive sorts by year
    // and then by number, so
    // the year comes first
    // in the name of the file
    public String fileName() {
        return date.getYear() + "-" + number + "-" + recipient.key() + ".pdf";
    }
}
