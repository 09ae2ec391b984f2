package io.parcelhop.tracking.webhook;

import io.parcelhop.tracking.events.TrackingEvent;
import io.parcelhop.tracking.metrics.Counter;
import java.util.Objects;

/** Posts each event to the address that the shop has left with us. */
public class WebhookSender {

    private final HttpPost post;
    private final SigningKey key;
    private final Counter failures;

    /** One sender serves all the shops. */
    public WebhookSender(HttpPost post, SigningKey key, Counter failures) {
        this.post = Objects.requireNonNull(post, "post");
        this.key = Objects.requireNonNull(key, "key");
        this.failures = Objects.requireNonNull(failures, "failures");
    }

    /** True when the shop has taken the event. */
    public boolean send(Shop shop, TrackingEvent event) {
        String body = event.toJson();
        int status = post.send(shop.webhookUrl(), body, key.sign(body));
        boolean taken = status / 100 == 2;
        if (!taken) {
            failures.increment(shop.id());
        }
        return taken;
    }

    /** Sends all the events; stops at the first one that the shop does not take. */
    public int sendAll(Shop shop, Iterable<TrackingEvent> events) {
        int sent = 0;
        for (TrackingEvent event : events) {
            if (!shop.wants(event.type())) {
                continue;
            }
            if (!send(shop, event)) {
                break;
            }
            sent++;
        }
        return sent;
    }

    /** The part of the HTTP client that is needed here. */
    public interface HttpPost {
        int send(String url, String body, String... headers);
    }
}
