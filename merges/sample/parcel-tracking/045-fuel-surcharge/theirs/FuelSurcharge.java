package io.parcelhop.tracking.price;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.List;

/** The part of the price that follows the price of fuel. */
public class FuelSurcharge {

    private final BigDecimal percent;

    public FuelSurcharge(BigDecimal percent) {
        this.percent = percent;
    }

    /** The surcharge on one price, in euros. */
    public BigDecimal on(BigDecimal price) {
        return price.multiply(percent).movePointLeft(2).setScale(2, RoundingMode.HALF_EVEN);
    }

    /** The surcharge on all the prices of an invoice. */
    public BigDecimal total(List<BigDecimal> prices) {
        return prices.stream().map(this::on).reduce(BigDecimal.ZERO, BigDecimal::add);
    }
}
