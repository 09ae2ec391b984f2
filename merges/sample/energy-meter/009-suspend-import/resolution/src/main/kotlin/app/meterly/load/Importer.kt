package app.meterly.load

import kotlinx.coroutines.delay

/** Loads files of readings that a grid operator leaves on a share. */
class Importer(private val share: Share, private val store: Store) {

    suspend fun load(day: String, source: Source): Int {
        var count = 0
        val files = share.list(day)
            .filter { it.endsWith(".csv") }
            .sorted()

        for (file in files) {
            val rows = share.readAll(file).mapNotNull { Row.of(it, source) }
            // small batches keep the table free for the portal
            val name = file.substringAfterLast('/')
            log.info("{}: {} rows", name, rows.size)
            count += rows.size

            store.saveAll(rows, chunk = 2000) { delay(20) }
        }
        return count
    }
}
