package app.meterly.report

import app.meterly.reading.Gap
import app.meterly.reading.GapKind
import java.time.Duration

/** Meters that were silent for longer than an hour. */
class Outages(private val gaps: List<Gap>) {

    val count get() = gaps.size

    fun longest(): Duration =
        gaps.maxOfOrNull { it.duration } ?: Duration.ZERO

    fun byKind(): Map<GapKind, Int> =
        gaps.groupingBy { it.kind }.eachCount()

    fun render(): String = buildString {
        appendLine("Outages")
        gaps.sortedBy { it.start }.forEach { gap ->
            appendLine("${gap.meter.id} ${gap.start} ${gap.duration}")
        }
    }
}
