package queue

/** How long the next patient will wait, in minutes. */
class Estimate(private val visits: List<Int>, private val rooms: Int) {
    fun perVisit(): Int =
        if (visits.isEmpty()) DEFAULT else visits.sorted()[visits.size / 2]

    fun minutes(ahead: Int): Int {
        require(ahead >= 0)
        val open = maxOf(rooms, 1)
        val turns = (ahead + open - 1) / open
        return roundUp(turns * perVisit())
    }

    // nobody believes "13 minutes"
    private fun roundUp(minutes: Int) =
        (minutes + 4) / 5 * 5

    override fun toString() = "Estimate(${visits.size} visits, median ${perVisit()}, $rooms rooms)"

    companion object {
        /** Until the first visit of a day is over. */
        const val DEFAULT = 12
    }
}
