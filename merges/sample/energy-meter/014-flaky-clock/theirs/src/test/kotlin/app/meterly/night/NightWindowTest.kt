package app.meterly.night

import java.time.Duration
import kotlin.test.Test
import kotlin.test.assertContains
import kotlin.test.assertEquals

class NightWindowTest {
    private val window = NightWindow()

    @Test
    fun `a window ends at six`() {
        val end = window.end()
        assertEquals(6, end.hour)
        assertEquals(270.0, window.left().toMinutes().toDouble(), absoluteTolerance = 2.0)
    }

    @Test
    fun `it has a name`() {
        val name = window.toString()
        assertContains(name, "night")
    }
}
