package net.invoicepress.dunning;

import java.time.LocalDate;

/** A letter about an invoice that nobody paid. */
record Reminder(String number, int step, LocalDate sent) {

    private static final int DAYS = 14;
    private static final int[] FEE_CENTS = {0, 250, 500};

    LocalDate payBy() {
        return sent.plusDays(DAYS);
    }

    int feeCents() {
        return FEE_CENTS[Math.min(step, 2)];
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
        return "Reminder " + count;
    }
}
