package printer

import java.io.OutputStream
import java.time.LocalTime
import java.util.Locale

/** Prints a ticket on the small printer at the door. */
class TicketPrinter(private val out: OutputStream) {
    private val charset = Charsets.ISO_8859_1

    fun print(ticket: Int) {
        line("clinic")
        line("Your number: $ticket")
        line(LocalTime.now().withNano(0).toString())
        line("Please take a seat.")
        line("")
        line("")
        line("")
        for (code in intArrayOf(29, 86, 1)) {
            out.write(code)
        }
        out.flush()
    }

    private fun line(text: String) {
        out.write("$text\n".toByteArray(charset))
    }

    private fun <T> retry(task: () -> T): T {
        repeat(TRIES - 1) { runCatching(task).onSuccess { return it } }
        return task()
    }

    companion object {
        const val WIDTH = 32
        const val TRIES = 3

        val LOCALE: Locale = Locale.GERMANY
    }
}
