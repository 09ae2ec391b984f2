package io.parcelhop.tracking.price;

import java.util.List;

/** The part of the price that follows the price of fuel. */
public class FuelSurcharge {

    private final double percent;

    public FuelSurcharge(double percent) {
        this.percent = percent;
    }

    /** The surcharge on one price, in euros. */
    public double on(double price) {
        return Math.round(price * percent) / 100.0;
    }

    /** The surcharge on all the prices of an invoice. */
    public double total(List<Double> prices) {
        return prices.stream().mapToDouble(this::on).sum();
    }
}
