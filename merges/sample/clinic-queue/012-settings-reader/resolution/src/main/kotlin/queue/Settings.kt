package queue

/** What the server is told when it starts. */
data class Settings(
    val url: String,
    val port: Int,
    val rooms: List<String>,
) {
    companion object {
        private val env = System.getenv()

        fun read(args: Array<String>): Settings {
            val given = args.associate { it.substringBefore("=") to it.substringAfter("=") }
            return Settings(
                url = given["url"] ?: env["QUEUE_URL"] ?: error("url is missing"),
                port = number("port", given["port"] ?: env["QUEUE_PORT"] ?: "8080"),
                rooms = given["rooms"].orEmpty().split(",").filter { it.isNotBlank() },
            )
        }

        private fun number(name: String, text: String) =
            text.toIntOrNull()?.takeIf { it > 0 } ?: error("$name is no number: $text")

        val help = """
            url=...    where the database is
            port=...   where to listen
            rooms=...  names of rooms, with commas; or QUEUE_ROOMS
        """.trimIndent()
    }
}
