package io.parcelhop.tracking.web;

import java.time.Clock;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;

/** Lets each address ask a limited number of times in a minute. */
public class RequestLimiter {

    private static final int PER_MINUTE = 30;

    private final Clock clock;
    private final ConcurrentMap<String, Window> windows = new ConcurrentHashMap<>();

    public RequestLimiter(Clock clock) {
        this.clock = clock;
    }

    public boolean allows(String address) {
        long minute = Math.floorDiv(clock.millis(), 60_000L);
        windows.values().removeIf(window -> window.minute < minute);
        Window now = windows.merge(address, new Window(minute, 1),
                (old, first) -> new Window(minute, old.count + first.count));
        return now.count <= PER_MINUTE;
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
