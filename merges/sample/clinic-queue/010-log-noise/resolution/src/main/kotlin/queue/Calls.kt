package queue

/** Calls patients into rooms. */
class Calls(private val list: WaitingList, private val speaker: Speaker) {
    // 3 is what the nurses tested and asked for
    private val repeats = 3

    fun next(room: String): Entry? {
        val entry = list.longest() ?: return null
        list.call(entry.ticket, room)
        // the fault of the lost tickets was the speaker's, not ours
        announce(entry, room)
        return entry
    }

    private fun announce(entry: Entry, room: String) {
        repeat(repeats) {
            speaker.say("Ticket ${entry.ticket}, room $room, please.")
            Thread.sleep(PAUSE)
        }
    }

    private companion object {
        const val PAUSE = 1_500L
    }
}
