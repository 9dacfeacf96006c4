package conformance;

import java.io.IOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * The world outside the journal: effects that are counted, and gates that hold a handler up.
 *
 * <p>Both are files, so a killed endpoint forgets nothing and the tests can read and open them.
 */
final class Outside {
  /** A file has no event to wait for. */
  private static final long LOOK_AGAIN_MS = 20;

  private Outside() {}

  /** As Python's {@code urllib.parse.quote(tag, safe="")}, so that all languages agree. */
  private static Path file(String kind, String tag) {
    String quoted =
        URLEncoder.encode(tag, StandardCharsets.UTF_8)
            .replace("+", "%20")
            .replace("*", "%2A")
            .replace("%7E", "~");
    return Path.of(System.getenv("CONFORMANCE_OUTSIDE"), kind, quoted);
  }

  /** Append one line under {@code tag}; the answer counts the lines, this one included. */
  static int effect(String tag, String text) throws IOException {
    Path path = file("effects", tag);
    Files.writeString(
        path,
        text.replace('\n', ' ') + "\n",
        StandardOpenOption.CREATE,
        StandardOpenOption.APPEND);
    return Files.readAllLines(path).size();
  }

  /** Hold this handler up, with nothing journaled, until the test opens the gate. */
  static void gate(String name) throws InterruptedException {
    Path path = file("gates", name);
    while (!Files.exists(path)) {
      Thread.sleep(LOOK_AGAIN_MS);
    }
  }
}
