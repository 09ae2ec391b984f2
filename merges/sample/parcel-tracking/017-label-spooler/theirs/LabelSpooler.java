package io.parcelhop.tracking.label;

import java.io.IOException;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

/** Sends labels to the printers of the depot, which listen on port 9100. */
public class LabelSpooler {

    private static final int PORT = 9100;

    private final String host;

    public LabelSpooler(String host) {
        this.host = host;
    }

    /** Prints the label and waits until the printer has taken it. */
    public void print(String label) throws IOException {
        try (Socket socket = new Socket(host, PORT)) {
            OutputStream out = socket.getOutputStream();
            String text = label.replace("\n", "\r\n");
            out.write(text.getBytes(StandardCharsets.UTF_8));
            out.flush();
        }
    }
}
