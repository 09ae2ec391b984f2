package printer

import java.io.OutputStream
import java.util.Locale

/** Prints a ticket on the small printer at the door. */
class TicketPrinter(private val out: OutputStream) {
    private val charset = Charsets.US_ASCII

    fun print(ticket: Int) {
        line("clinic")
        line("Your number: $ticket")
        line("Please take a seat.")
        line("")
        line("")
        line("")
        out.write(byteArrayOf(0x1D, 0x56, 0x00))
        out.flush()
    }

    private fun line(text: String) {
        out.write("$text\n".toByteArray(charset))
    }


    companion object {
        const val WIDTH = 32
        const val TRIES = 3

        val LOCALE: Locale = Locale.GERMANY
    }
}
