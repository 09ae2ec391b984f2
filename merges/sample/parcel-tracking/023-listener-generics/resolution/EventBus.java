package io.parcelhop.tracking.events;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** Hands events to the parts of the program that asked for them. */
public class EventBus {

    private final Map<Class<?>, List<Consumer<Object>>> listeners = new HashMap<>();

    @SuppressWarnings("unchecked")
    public <T> void listen(Class<T> type, Consumer<? super T> listener) {
        listeners.computeIfAbsent(type, key -> new ArrayList<>()).add((Consumer<Object>) listener);
    }

    public void publish(Object event) {
        for (Consumer<Object> listener : listeners.getOrDefault(event.getClass(), List.of())) {
            listener.accept(event);
        }
    }

    /** Hands over several events of any types, in their order. */
    public void publishAll(Iterable<?> events) {
        for (Object event : events) {
            publish(event);
        }
    }
}
