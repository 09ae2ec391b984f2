package net.invoicepress;

import java.time.LocalDate;
import java.util.List;

/** One invoice as it goes to the press. */
public record Invoice(
        String number,
        Customer customer,
        String reference,
        LocalDate date,
        List<Item> items) {

    /** What all items cost, tax included. */
    public long totalCents() {
        return items.stream().mapToLong(Item::grossCents).sum();
    }

    /** The day after which a reminder goes out. */
    public LocalDate due() {
        return date.plusDays(21);
    }

    // the archive sorts by year
    // and then by number, so
    // the year comes first
    // in the name of the file
    public String fileName() {
        return date.getYear() + "-" + number + "-" + customer.key() + ".v2.pdf";
    }
}
