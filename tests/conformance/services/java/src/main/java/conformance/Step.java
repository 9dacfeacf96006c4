package conformance;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.NullNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** One operation and its arguments, read leniently: what is missing has a default. */
record Step(ObjectNode fields) {
  boolean has(String name) {
    return fields.has(name);
  }

  JsonNode value(String name) {
    return has(name) ? fields.get(name) : NullNode.instance;
  }

  String text(String name) {
    return fields.path(name).asText("");
  }

  int number(String name, int otherwise) {
    return fields.path(name).asInt(otherwise);
  }

  Duration duration(String name) {
    return Duration.ofMillis(fields.path(name).asLong());
  }

  List<String> texts(String name) {
    List<String> texts = new ArrayList<>();
    fields.path(name).forEach(each -> texts.add(each.asText()));
    return texts;
  }

  Map<String, String> pairs(String name) {
    Map<String, String> pairs = new LinkedHashMap<>();
    var given = fields.path(name).fields();
    given.forEachRemaining(each -> pairs.put(each.getKey(), each.getValue().asText()));
    return pairs;
  }
}
