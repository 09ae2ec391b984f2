package queue

/** How urgent it is; the most urgent comes first. */
enum class Level(val minutes: Int) {
    NOW(0),
    VERY_URGENT(10),
    SOON(30),
    NORMAL(90),
    LATER(180);

    /** How long a patient of this level may wait. */
    val limit get() = java.time.Duration.ofMinutes(minutes.toLong())

    fun isUrgent() = this <= SOON

    companion object {
        fun of(code: Char): Level =
            entries.firstOrNull { it.name[0] == code.uppercaseChar() }
                ?: error("no level $code")

        val DEFAULT = NORMAL

        val MOST_URGENT = entries.first()
    }
}
