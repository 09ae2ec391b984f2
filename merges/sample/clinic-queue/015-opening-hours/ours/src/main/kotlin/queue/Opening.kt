package queue

import java.time.LocalTime
import java.time.MonthDay

/** When one can get a ticket. */
object Opening {
    // by date
    private val holidays = setOf(
        MonthDay.of(1, 1),
        MonthDay.of(10, 3),
        MonthDay.of(12, 25),
        MonthDay.of(12, 26),
    )

    private val noon = LocalTime.of(12, 0)..LocalTime.of(13, 0)

    fun isHoliday(day: MonthDay) = day in holidays

    fun isOpen(time: LocalTime) =
        when (time.hour) {
            in 8..11, in 13..17 -> true
            else -> false
        }

    /** Nobody gets a ticket in the last minutes. */
    fun lastTicket(closing: LocalTime): LocalTime =
        closing.minusMinutes(20)
}
