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

    @Test
    void sumsUpMoreThanAnIntCanHold() {
        List<Parcel> pallets = List.of(parcel(Integer.MAX_VALUE), parcel(Integer.MAX_VALUE));
        assertEquals(2L * Integer.MAX_VALUE, WeightRules.total(pallets));
    }

    private static Parcel parcel(int grams) {
        return Parcel.builder().code("PH1").weightGrams(grams).build();
    }
}
