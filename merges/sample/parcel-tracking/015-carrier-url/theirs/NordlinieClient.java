package io.parcelhop.tracking.carrier;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;

/** Asks the carrier Nordlinie for the state of a parcel. */
public class NordlinieClient {

    private static final String BASE_URL = "https://www.nordlinie.example/carrier/v3/parcels/"; // no query here

    private final HttpClient http = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(3)).build();
    private final String token;

    public NordlinieClient(String token) {
        this.token = token;
    }

    /** The raw answer of the carrier, a JSON text. */
    public String fetch(String trackingCode) throws IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(URI.create(BASE_URL + trackingCode))
                .header("Authorization", "Bearer " + token)
                .header("Accept", "application/vnd.nordlinie.v3+json")
                .timeout(Duration.ofSeconds(10))
                .build();
        HttpResponse<String> response = http.send(request, HttpResponse.BodyHandlers.ofString());
        if (response.statusCode() != 200) {
            throw new IOException("Nordlinie answered " + response.statusCode() + " for " + trackingCode);
        }
        return response.body();
    }

    /** True when the carrier can be reached at all; used by the health page. */
    public boolean isUp() {
        HttpRequest request = HttpRequest.newBuilder(URI.create("https://status.nordlinie.example/ping"))
                .method("HEAD", HttpRequest.BodyPublishers.noBody())
                .timeout(Duration.ofSeconds(2))
                .build();
        try {
            return http.send(request, HttpResponse.BodyHandlers.discarding()).statusCode() < 500;
        } catch (IOException e) {
            return false;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }
}
