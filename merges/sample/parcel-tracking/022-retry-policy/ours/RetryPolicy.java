package io.parcelhop.tracking.carrier;

import java.time.Duration;

/** How long to wait before the next attempt; the pause doubles each time. */
public final class RetryPolicy {

    private final int maxAttempts;
    private final Duration firstPause;

    public RetryPolicy(int maxAttempts, Duration firstPause) {
        this.maxAttempts = maxAttempts;
        this.firstPause = firstPause;
    }

    public boolean allows(int attempt) {
        return attempt < maxAttempts;
    }

    public Duration pauseAfter(int attempt) {
        return firstPause.multipliedBy(1L << Math.min(attempt, 10));
    }
}
