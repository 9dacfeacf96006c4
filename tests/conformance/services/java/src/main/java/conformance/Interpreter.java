package conformance;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.NullNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.restate.sdk.Context;
import dev.restate.sdk.DurableFuture;
import java.util.HashMap;
import java.util.Map;

/**
 * A handler that runs a small program: the same language as {@code interpreter.py}, on the official
 * Java SDK. Names live as long as the invocation.
 */
final class Interpreter {
  final Context ctx;
  private final Map<String, JsonNode> values = new HashMap<>();
  private final Map<String, DurableFuture<?>> futures = new HashMap<>();

  private Interpreter(Context ctx) {
    this.ctx = ctx;
  }

  /** Run one program and return the result of each of its steps. */
  static JsonNode execute(Context ctx, JsonNode program) throws Exception {
    return new Interpreter(ctx).run(program);
  }

  ArrayNode run(JsonNode program) throws Exception {
    ArrayNode results = Payload.JSON.createArrayNode();
    for (JsonNode step : program) {
      results.add(step(step));
    }
    return results;
  }

  private JsonNode step(JsonNode written) throws Exception {
    ObjectNode read = Payload.JSON.createObjectNode();
    written.fields().forEachRemaining(field -> read.set(field.getKey(), read(field.getValue())));
    Step step = new Step(read);
    JsonNode result = Operations.perform(this, step);
    String name = step.text("as");
    if (!name.isEmpty() && !values.containsKey(name) && !futures.containsKey(name)) {
      keep(name, result);
    }
    return result;
  }

  /** The value a reference leads to. References to futures stay: they are awaited by name. */
  private JsonNode read(JsonNode value) {
    return value.size() == 1 && value.has("$")
        ? values.getOrDefault(value.get("$").asText(), value)
        : value;
  }

  void keep(String name, JsonNode value) {
    values.put(name, value);
  }

  void keep(String name, DurableFuture<?> future) {
    futures.put(name, future);
  }

  DurableFuture<?> future(String name) {
    return futures.get(name);
  }

  /** A future's value as JSON; the futures of sleeps have none. */
  static JsonNode await(DurableFuture<?> future) {
    return future.await() instanceof JsonNode value ? value : NullNode.instance;
  }
}
