package queue

import java.time.Clock

/** Who waits, and for how long already. */
class WaitingList(
    private val entries: MutableList<Entry>,
    private val clock: Clock,
    private val log: Log = Log.None,
) {
    fun size() = entries.count { !it.isCalled() }

    fun isEmpty() = size() == 0

    fun longest(): Entry? =
        entries.filterNot { it.isCalled() }.maxByOrNull { it.waited(clock.instant()) }

    fun call(ticket: Int, room: String) {
        val at = entries.indexOfFirst { it.ticket == ticket }
        require(at >= 0) { "no ticket $ticket" }
        entries[at] = entries[at].copy(room = room)
        log.called(ticket, room)
    }
}
