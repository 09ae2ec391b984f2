package queue

/** Keeps entries in the database. */
class SqlStore(private val database: Database) : Store {
    override fun load(): List<Entry> =
        database.query("SELECT * FROM entries ORDER BY ticket") { it.entry() }

    override fun save(entry: Entry) {
        database.update(UPSERT, entry.ticket, entry.level.name, entry.room)
    }

    // the store in memory needs it, here it does nothing
    override fun flush() {
        // rows are written at once
    }

    private companion object {
        const val UPSERT = "MERGE INTO entries KEY (ticket) VALUES (?, ?, ?)"
    }
}
