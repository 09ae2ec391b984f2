package display

import java.net.URI
import java.util.concurrent.CompletableFuture

/** Sends the next tickets to the screens in the waiting room. */
class DisplayClient(
    private val screens: List<URI>,
    private val http: Http,
    private val connectTimeout: Long = 2_000,
) {
    fun isConnected() =
        screens.isNotEmpty() && http.isOpen

    fun show(tickets: List<Int>): CompletableFuture<Void> {
        val calls = screens.map { http.postAsync(it, tickets) }
        return CompletableFuture.allOf(*calls.toTypedArray())
    }

    /** The screens show the clinic's name over night. */
    fun clear() {
        screens.forEach { http.delete(it) }
    }

    fun ping(callback: (Boolean) -> Unit) {
        http.getAsync(screens.first()).thenAccept { callback(it.ok) }
    }

    companion object {
        const val PATH = "/api/tickets"
        const val MOST = 6
        const val BLANK = "--"

        val COLOURS = mapOf("next" to "green", "later" to "grey")

        val FALLBACK: URI = URI("http://localhost:8090")
    }
}
