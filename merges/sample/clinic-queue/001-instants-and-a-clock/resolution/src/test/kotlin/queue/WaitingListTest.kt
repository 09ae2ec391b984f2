package queue

import kotlin.test.Test
import kotlin.test.assertEquals

class WaitingListTest {
    private val nine = Instant.parse("2031-05-06T09:00:00Z")
    private val clock = Clock.fixed(nine, ZoneOffset.UTC)

    private fun entry(ticket: Int, level: Level = Level.NORMAL) =
        Entry(ticket, nine, null, level)

    @Test
    fun `an empty list has no longest wait`() {
        assertNull(WaitingList(mutableListOf(), clock).longest())
    }

    @Test
    fun `a ticket stands for itself`() {
        assertEquals("#12", entry(12).toString())
    }
}
