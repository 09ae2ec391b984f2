package io.parcelhop.tracking.events;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** Hands events to the parts of the program that asked for them. */
public class EventBus {

    private final Map<Class<?>, Consumer<Object>> listeners = new HashMap<>();

    @SuppressWarnings("unchecked")
    public <E> void listen(Class<E> type, Consumer<E> listener) {
        listeners.put(type, (Consumer<Object>) listener);
    }

    public void publish(Object event) {
        Consumer<Object> listener = listeners.get(event.getClass());
        if (listener != null) {
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
