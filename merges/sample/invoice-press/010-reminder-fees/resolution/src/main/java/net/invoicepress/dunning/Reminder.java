package net.invoicepress.dunning;

import java.time.LocalDate;

/** A letter about an invoice that nobody paid. */
record Reminder(String number, int step, LocalDate sent) {

    private static final int DAYS = 14;

    LocalDate payBy() {
        return sent.plusDays(DAYS);
    }

    boolean isFirst() {
        return step == 1;
    }

    /** Whether the next letter comes from a lawyer. */
    boolean isLast() {
        return step >= 3;
    }

    String subject() {
        // short, for the phones'
        // list of mails
        int count = step;
        return "Reminder " + count + ": invoice " + number;
    }
}
