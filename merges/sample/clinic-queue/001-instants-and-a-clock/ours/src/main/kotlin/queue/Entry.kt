package queue

import java.time.Duration
import java.time.LocalDateTime

/** A patient who waits for a room. */
data class Entry(
    val ticket: Int,
    val arrived: LocalDateTime,
    val booked: LocalDateTime?,
    val level: Level,
    val room: String? = null,
) {
    fun isCalled() = room != null

    fun waited(now: LocalDateTime) = java.time.Duration.between(arrived, now)

    override fun toString() = "#$ticket"

    companion object {
        val GRACE: Duration = Duration.ofMinutes(10)
    }
}
