package app.meterly.gateway

import java.time.Duration

/** Asks the radio gateways of a street for what their meters say. */
class GatewayClient(private val http: Http, private val attempts: Int = 3) {

    fun poll(gateway: String): List<RawFrame> {
        require(gateway.isNotBlank()) { "no gateway" }
        val url = "https://$gateway.meterly.example/frames"
        val answer = http.get(url, attempts, timeout = Duration.ofSeconds(20))
        return answer.lines
            .filter { it.isNotEmpty() }
            .map(RawFrame::parse)
    }

    fun isUp(gateway: String): Boolean =
        http.head("https://$gateway.meterly.example/up").status in 200..204
}
