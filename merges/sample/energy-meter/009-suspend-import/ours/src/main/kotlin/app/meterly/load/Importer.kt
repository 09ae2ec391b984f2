package app.meterly.load

/** Loads files of readings that a grid operator leaves on a share. */
class Importer(private val share: Share, private val store: Store) {

    fun load(day: String, source: Source): Int {
        var count = 0
        val files = share.list(day)
            .filter { it.endsWith(".csv") }
            .sorted()

        for (file in files) {
            val rows = share.read(file).mapNotNull { Row.of(it, source) }
            // small batches keep the table free for the portal
            val name = file.substringAfterLast('/')
            log.info("{}: {} rows", name, rows.size)
            count += rows.size

            rows.chunked(2000).forEach { store.save(it) }
        }
        return count
    }
}
