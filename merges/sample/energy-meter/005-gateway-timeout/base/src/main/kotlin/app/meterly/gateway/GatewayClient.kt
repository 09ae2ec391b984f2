package app.meterly.gateway

import java.time.Duration

/** Asks the radio gateways of a street for what their meters say. */
class GatewayClient(private val http: Http) {

    fun poll(gateway: String): List<RawFrame> {
        require(gateway.isNotBlank()) { "no gateway" }
        val url = "https://$gateway.meterly.example/frames"
        val answer = http.get(url, timeout = Duration.ofSeconds(5))
        return answer.lines
            .filter { it.isNotEmpty() }
            .map(RawFrame::parse)
    }

    fun isUp(gateway: String): Boolean =
        http.head("https://$gateway.meterly.example/up").status == 200
}
