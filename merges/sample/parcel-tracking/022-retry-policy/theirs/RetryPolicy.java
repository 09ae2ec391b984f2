package io.parcelhop.tracking.carrier;

import java.io.IOException;

/** Which failures of a carrier are worth another attempt. */
public final class RetryPolicy {

    private static final int TOO_MANY_REQUESTS = 429;

    private final int attempts;

    public RetryPolicy(int attempts) {
        this.attempts = attempts;
    }

    public boolean shouldRetry(int attempt, Exception error) {
        return attempt < attempts && error instanceof IOException;
    }

    public boolean shouldRetry(int attempt, int status) {
        return attempt < attempts && (status == TOO_MANY_REQUESTS || status >= 500);
    }
}
