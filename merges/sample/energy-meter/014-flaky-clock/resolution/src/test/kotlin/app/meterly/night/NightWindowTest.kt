package app.meterly.night

import java.time.Duration
import kotlin.test.Test
import kotlin.test.assertContains
import kotlin.test.assertEquals

class NightWindowTest {
    private val window = NightWindow(clock = FixedClock("2024-10-27T00:30:00Z"))

    @Test
    fun `a window ends at six`() {
        val end = window.end()
        assertEquals(6, end.hour)
        assertEquals(Duration.ofMinutes(270), window.left())
    }

    @Test
    fun `it has a name`() {
        val name = window.toString()
        assertContains(name, "night")
    }
}
