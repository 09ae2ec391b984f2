package net.invoicepress.dunning;

/** What a reminder says, and how much it asks for. */
final class Letter {

    private static final double INTEREST = 0.05;

    /** What is to be paid by the day that the letter names. */
    static long total(Reminder reminder, long cents, int days) {
        return cents;
    }

    /** The interest for the days since the invoice was due. */
    static long interest(long cents, int days) {
        return Math.round(cents * INTEREST * days / 365);
    }
}
