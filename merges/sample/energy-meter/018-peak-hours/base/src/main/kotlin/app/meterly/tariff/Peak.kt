package app.meterly.tariff

import java.time.DayOfWeek
import java.time.LocalDateTime

/** Whether a quarter of an hour is billed at the peak's price. */
class Peak(private val holidays: Holidays) {

    private val from = 6
    private val until = 21

    fun applies(tariff: Tariff, at: LocalDateTime): Boolean {
        if (at.dayOfWeek == DayOfWeek.SUNDAY) {
            return false
        }
        return at.hour in from until until
    }

    fun share(tariff: Tariff, times: List<LocalDateTime>): Double {
        val peak = times.count { applies(tariff, it) }
        return peak.toDouble() / times.size
    }
}
