package printer

import java.io.OutputStream
import java.nio.charset.Charset
import java.util.Locale

/** Prints a ticket on the small printer at the door. */
class TicketPrinter(private val out: OutputStream) {
    private val charset = Charset.forName("CP850") // says the printer's manual

    fun print(ticket: Int) {
        line("clinic")
        line("Your number: $ticket")
        line("Please take a seat.")
        line("")
        line("")
        line("")
        out.write(Codes.HALF_CUT)
        out.flush()
    }

    private fun line(text: String) {
        out.write("$text\n".toByteArray(charset))
    }

    private fun <T> retry(task: () -> T): T {
        while (true) runCatching(task).onSuccess { return it }
    }

    companion object {
        const val WIDTH = 32
        const val TRIES = 3

        val LOCALE: Locale = Locale.GERMANY
        const val NAME = "door"
    }
}
