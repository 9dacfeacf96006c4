package conformance;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.NullNode;
import dev.restate.common.Slice;
import dev.restate.serde.Serde;
import java.io.IOException;
import java.io.UncheckedIOException;

/** JSON in which no bytes at all stand for null, and null is a value like others. */
final class Payload implements Serde<JsonNode> {
  static final ObjectMapper JSON = new ObjectMapper();
  static final Payload SERDE = new Payload();

  private Payload() {}

  @Override
  public Slice serialize(JsonNode value) {
    try {
      return Slice.wrap(JSON.writeValueAsBytes(value));
    } catch (IOException problem) {
      throw new UncheckedIOException(problem);
    }
  }

  @Override
  public JsonNode deserialize(Slice value) {
    try {
      byte[] bytes = value.toByteArray();
      return bytes.length == 0 ? NullNode.instance : JSON.readTree(bytes);
    } catch (IOException problem) {
      throw new UncheckedIOException(problem);
    }
  }

  @Override
  public String contentType() {
    return "application/json";
  }
}
