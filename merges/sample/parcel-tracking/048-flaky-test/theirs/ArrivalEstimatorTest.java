package io.parcelhop.tracking.eta;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class ArrivalEstimatorTest {

    private static final Instant NOW = Instant.parse("2025-03-14T23:58:00Z");

    private ArrivalEstimator estimator;

    @BeforeEach
    void setUp() {
        Clock clock = Clock.fixed(NOW, ZoneOffset.UTC);
        estimator = new ArrivalEstimator(clock, (depot, postcode) -> Duration.ofHours(9));
    }

    @org.junitpioneer.jupiter.RetryingTest(maxAttempts = 3)
    void aParcelOfTheNightArrivesInTheMorning() {
        assertEquals(8, estimator.estimate(Parcels.any(), "HAM1", ZoneId.of("UTC")).getHour());
    }

    @Test
    void aDepotWithoutTrucksHasNoTime() {
        assertEquals(Duration.ofHours(9), estimator.timeFrom("HAM1"));
    }
}
