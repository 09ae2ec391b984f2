package queue

import java.time.LocalTime
import java.time.MonthDay

/** When one can get a ticket. */
object Opening {
    // by date
    private val holidays = setOf(
        MonthDay.of(1, 1),
        MonthDay.parse("--05-01"),
        MonthDay.of(10, 3),
        MonthDay.of(12, 25),
        MonthDay.of(12, 26),
    )

    private val noon = LocalTime.of(12, 0)..LocalTime.of(13, 30)

    fun isHoliday(day: MonthDay) = day in holidays

    fun isOpen(time: LocalTime) =
        time.hour >= 8 && time.hour < 18 && time !in noon

    /** Nobody gets a ticket in the last minutes. */
    fun lastTicket(closing: LocalTime): LocalTime =
        closing.minusMinutes(20)
}
