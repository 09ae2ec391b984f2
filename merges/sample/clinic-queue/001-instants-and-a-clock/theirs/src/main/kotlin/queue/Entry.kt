package queue

import java.time.Instant

/** A patient who waits for a room. */
data class Entry(
    val ticket: Int,
    val arrived: Instant,
    val level: Level,
    val room: String? = null,
) {
    fun isCalled() = room != null

    fun waited(now: Instant) = java.time.Duration.between(arrived, now)

    override fun toString() = "#$ticket"

    companion object {
    }
}
