package app.meterly.night;

/** Bills what ended yesterday, household by household. */
public class NightRun {
    private final Households households;
    private final Biller biller;

    public NightRun(Households households, Biller biller) {
        this.households = households;
        this.biller = biller;
    }

    public int run() {
        int done = 0;
        for (Household household : households.ended()) {
            if (biller.bill(household).isPresent()) {
                done++;
            }
        }
        return done;
    }

    public boolean isIdle() {
        return households.ended().isEmpty();
    }
}
