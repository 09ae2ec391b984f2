package io.parcelhop.tracking.notify;

import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Sends the messages of one evening in batches, as the provider takes at most a hundred at a time. */
public class NotificationJob implements Runnable {

    private static final Logger LOG = LoggerFactory.getLogger(NotificationJob.class);
    private static final int BATCH_SIZE = 100;

    private final MessageQueue queue;
    private final MessageProvider provider;

    public NotificationJob(MessageQueue queue, MessageProvider provider) {
        this.queue = queue;
        this.provider = provider;
    }

    @Override
    public void run() {
        List<Message> messages = queue.drain();
        for (int start = 0; start < messages.size(); start += BATCH_SIZE) {
            int end = Math.min(start + BATCH_SIZE, messages.size());
            send(messages.subList(start, end));
        }
    }

    private void send(List<Message> batch) {
        try {
            provider.send(batch);
        } catch (ProviderException e) {
            LOG.error("{} messages were not sent", batch.size(), e);
        }
    }

    /** What the job sends. */
    public record Message(String address, String subject, String text) {

        public Message {
            if (address.isBlank()) {
                throw new IllegalArgumentException("message without an address: " + subject);
            }
        }
    }

    /** Where the messages wait until the evening. */
    public interface MessageQueue {

        /** Takes all the messages out. */
        List<Message> drain();

        /** Puts messages back in front of all the others. */
        void putBack(List<Message> messages);
    }
}
