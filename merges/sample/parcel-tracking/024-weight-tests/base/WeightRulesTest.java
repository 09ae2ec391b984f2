package io.parcelhop.tracking.rules;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.parcelhop.tracking.model.Parcel;
import java.util.List;
import org.junit.jupiter.api.Test;

class WeightRulesTest {

    @Test
    void acceptsAParcelAtTheLimit() {
        assertTrue(WeightRules.isAllowed(parcel(31_500)));
    }

    @Test
    void refusesAParcelAboveTheLimit() {
        assertFalse(WeightRules.isAllowed(parcel(31_501)));
    }

    private static Parcel parcel(int grams) {
        return Parcel.builder().code("PH1").weightGrams(grams).build();
    }
}
