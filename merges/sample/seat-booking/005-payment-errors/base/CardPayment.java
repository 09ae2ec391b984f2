package app.seatwise.booking.pay;

import java.net.ConnectException;
import java.net.http.HttpTimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.logging.Level;
import java.util.logging.Logger;

/** Pays with a credit card. */
public class CardPayment implements PaymentMethod {

    private static final Logger LOG = Logger.getLogger(CardPayment.class.getName());

    private final CardTerminal terminal;
    private final AtomicInteger failures = new AtomicInteger();

    public CardPayment(CardTerminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public Receipt pay(Card card, int cents) throws PaymentException {
        try {
            return new Receipt(terminal.authorize(card.token(), cents), cents);
        } catch (CardRefusedException e) {
            throw new PaymentException("card was refused", e);
        }
    }

    /** Failures since the start, for the health page. */
    public int failures() {
        return failures.get();
    }

    /** Pays back the whole sum of a receipt. */
    @Override
    public void payBack(Receipt receipt) throws PaymentException {
        if (!terminal.reverse(receipt.authorization())) {
            throw new PaymentException("could not pay back " + receipt.cents() + " cents", null);
        }
    }

    /** The fee that the bank keeps, in cents: 1.4 percent, but at least 10 cents. */
    static int bankFee(int cents) {
        return Math.max(10, (cents * 14 + 999) / 1000);
    }
}
