package app.seatwise.booking.price;

/** Price categories, the dearest first. */
public enum PriceCategory {
    BOX("Box seats", 180),
    STALLS("Stalls", 100),
    CIRCLE("Dress circle", 80),
    GALLERY("Gallery", 45);

    private final String title;
    private final int percent;

    PriceCategory(String title, int percent) {
        this.title = title;
        this.percent = percent;
    }

    public String title() {
        return title;
    }

    /** The price of a seat, from the price of a seat in the stalls. */
    public int cents(int stallsCents) {
        return Math.round(stallsCents * percent / 100f);
    }
}
