package app.seatwise.booking.web;

import app.seatwise.booking.Booking;
import app.seatwise.booking.pay.PaymentException;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The page on which a guest pays. */
public class CheckoutPage {

    private static final Logger LOG = LoggerFactory.getLogger(CheckoutPage.class);

    private final Checkout checkout;

    public CheckoutPage(Checkout checkout) {
        this.checkout = checkout;
    }

    public String post(Session session, Map<String, String> form) {
        LOG.info("checkout " + form + " " + session.dump());
        try {
            Booking booking = checkout.pay(session.guest(), form.get("method"));
            return "redirect:/tickets/" + booking.reference();
        } catch (PaymentException e) {
            return "redirect:/checkout?error=payment";
        }
    }
}
