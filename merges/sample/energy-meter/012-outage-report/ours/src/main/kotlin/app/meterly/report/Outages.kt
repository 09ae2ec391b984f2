package app.meterly.report

import app.meterly.reading.Gap
import app.meterly.street.Street
import java.time.Duration

/** Meters that were silent for longer than an hour. */
class Outages(private val gaps: List<Gap>) {

    fun count() = gaps.size

    fun longest(): Duration =
        gaps.maxOfOrNull { it.duration } ?: Duration.ZERO

    fun on(street: Street): List<Gap> =
        gaps.filter { it.meter.street == street }

    fun render(): String = buildString {
        appendLine("Outages")
        gaps.sortedBy { it.start }.forEach { gap ->
            appendLine("${gap.meter.id};${gap.start};${gap.duration.toMinutes()}")
        }
    }
}
