package io.parcelhop.tracking.web;

import java.time.Clock;
import java.util.HashMap;
import java.util.Map;

/** Lets each address ask a limited number of times in a minute. */
public class RequestLimiter {

    private static final int PER_MINUTE = 30;

    private final Clock clock;
    private final Map<String, Window> windows = new HashMap<>();

    public RequestLimiter(Clock clock) {
        this.clock = clock;
    }

    public synchronized boolean allows(String address) {
        long minute = clock.millis() / 60_000;
        Window window = windows.get(address);
        if (window == null || window.minute != minute) {
            window = new Window(minute, 0);
        }
        windows.put(address, new Window(minute, window.count + 1));
        return window.count < PER_MINUTE;
    }

    private static final class Window {
        private final long minute;
        private final int count;

        Window(long minute, int count) {
            this.minute = minute;
            this.count = count;
        }
    }
}
