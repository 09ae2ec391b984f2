package app.meterly.bill;

import java.math.BigDecimal;

/** A line of a bill: what was used, and at which price. */
public record BillLine(String text, BigDecimal kwh, BigDecimal price) {

    public boolean isEmpty() {
        return kwh.signum() == 0;
    }

    /** The amount in euros, not rounded yet. */
    public BigDecimal amount() {
        return kwh.multiply(price);
    }
}
