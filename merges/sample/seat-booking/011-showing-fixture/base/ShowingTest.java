package app.seatwise.booking;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.LocalDateTime;
import org.junit.jupiter.api.Test;

class ShowingTest {

    private static final LocalDateTime EVENING = LocalDateTime.of(2025, 9, 12, 19, 30);

    private final Showing showing = new Showing("The Seagull", EVENING, "Great Hall", 412, 0);

    @Test
    void startsWithNothingSold() {
        assertThat(showing.sold()).isZero();
        assertThat(showing.capacity()).isEqualTo(412);
    }

    @Test
    void titleOnThePoster() {
        assertThat(showing.poster()).isEqualTo("The Seagull, 12 September");
    }
}
