package queue

/** Keeps entries in the database. */
class SqlStore(private val database: Database) : Store {
    override fun load(): List<Entry> =
        database.query("SELECT * FROM entries") { it.entry() }

    override fun save(entry: Entry) {
        database.update(UPSERT, entry.ticket, entry.level.name, entry.room)
    }

    // the store in memory needs it
    override fun flush() = Unit

    private companion object {
        const val UPSERT = "MERGE INTO entries KEY (ticket) VALUES (?, ?, ?)"
    }
}
