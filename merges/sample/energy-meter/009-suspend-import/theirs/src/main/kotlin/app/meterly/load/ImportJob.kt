package app.meterly.load

import java.time.LocalDate
import kotlinx.coroutines.runBlocking

/** Loads what came in overnight, each morning at five. */
class ImportJob(private val importer: Importer) {

    fun run(today: LocalDate) = runBlocking {
        importer.load(today.minusDays(1).toString())
    }

    /** Runs again for days that were missed. */
    fun catchUp(days: List<LocalDate>) {
        require(days.size <= MOST_DAYS)
        days.sorted().forEach { run(it) }
    }

    private companion object {
        const val MOST_DAYS = 7
    }
}
