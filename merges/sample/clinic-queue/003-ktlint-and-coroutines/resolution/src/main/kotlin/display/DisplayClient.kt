package display

import java.net.URI
import kotlinx.coroutines.withTimeout

/** Sends the next tickets to the screens in the waiting room. */
class DisplayClient(
    private val screens: List<URI>,
    private val http: Http,
    private val connectTimeout: Long = 2_000,
    private val answerTimeout: Long = 5_000,
) {
    fun isConnected() =
        screens.isNotEmpty() && http.isOpen

    suspend fun show(tickets: List<Int>) =
        withTimeout(answerTimeout) { screens.forEach { http.post(it, tickets) } }

    /** The screens show the clinic's name over night. */
    fun clear() {
        screens.forEach { http.delete(it) }
    }

    companion object {
        const val PATH = "/api/v2/tickets"
        const val MOST = 6
        const val BLANK = "--"

        val COLOURS = mapOf("next" to "green", "later" to "grey")

        val FALLBACK: URI = URI("http://localhost:8090")
    }
}
