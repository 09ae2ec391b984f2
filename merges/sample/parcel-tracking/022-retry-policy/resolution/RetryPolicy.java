package io.parcelhop.tracking.carrier;

import java.io.IOException;
import java.time.Duration;

/** Which failures of a carrier are worth another attempt, and after which pause; the pause doubles each time. */
public final class RetryPolicy {

    private static final int TOO_MANY_REQUESTS = 429;

    private final int maxAttempts;
    private final Duration firstPause;

    public RetryPolicy(int maxAttempts, Duration firstPause) {
        this.maxAttempts = maxAttempts;
        this.firstPause = firstPause;
    }

    public boolean allows(int attempt, Exception error) {
        return attempt < maxAttempts && error instanceof IOException;
    }

    public boolean allows(int attempt, int status) {
        return attempt < maxAttempts && (status == TOO_MANY_REQUESTS || status >= 500);
    }

    public Duration pauseAfter(int attempt) {
        return firstPause.multipliedBy(1L << Math.min(attempt, 10));
    }
}
