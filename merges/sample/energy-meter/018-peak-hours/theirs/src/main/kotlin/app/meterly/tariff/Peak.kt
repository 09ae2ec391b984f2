package app.meterly.tariff

import java.time.DayOfWeek
import java.time.LocalDateTime

/** Whether a quarter of an hour is billed at the peak's price. */
class Peak(private val holidays: Holidays) {


    fun applies(tariff: Tariff, at: LocalDateTime): Boolean {
        if (at.dayOfWeek == DayOfWeek.SUNDAY) {
            return false
        }
        return at.hour in tariff.peak
    }

    fun share(tariff: Tariff, times: List<LocalDateTime>): Double {
        val peak = times.count { applies(tariff, it) }
        if (times.isEmpty()) return 0.0
        return peak.toDouble() / times.size
    }
}
