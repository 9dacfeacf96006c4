package conformance;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.NullNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import dev.restate.common.Request;
import dev.restate.common.Target;
import dev.restate.sdk.Awakeable;
import dev.restate.sdk.CallDurableFuture;
import dev.restate.sdk.DurableFuture;
import dev.restate.sdk.InvocationHandle;
import dev.restate.sdk.ObjectContext;
import dev.restate.sdk.SharedObjectContext;
import dev.restate.sdk.SharedWorkflowContext;
import dev.restate.sdk.common.DurablePromiseKey;
import dev.restate.sdk.common.RetryPolicy;
import dev.restate.sdk.common.StateKey;
import dev.restate.sdk.common.TerminalException;
import dev.restate.serde.Serde;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** One method per operation of the language. */
final class Operations {
  private interface Operation {
    JsonNode perform(Interpreter it, Step step) throws Exception;
  }

  private interface Effect {
    void perform(Interpreter it, Step step) throws Exception;
  }

  private static final Map<String, Operation> OPERATIONS =
      Map.ofEntries(
          Map.entry("set", nothing((it, step) -> state(it).set(key(step), step.value("v")))),
          Map.entry("get", Operations::get),
          Map.entry("keys", Operations::keys),
          Map.entry("clear", nothing((it, step) -> state(it).clear(key(step)))),
          Map.entry("clear_all", nothing((it, step) -> state(it).clearAll())),
          Map.entry("call", (it, step) -> startedCall(it, step).await()),
          Map.entry("start_call", Operations::startCall),
          Map.entry("await_call", Operations::await),
          Map.entry("send", Operations::send),
          Map.entry("cancel", nothing((it, step) -> handle(it, step).cancel())),
          Map.entry("attach", (it, step) -> handle(it, step).attach().await()),
          Map.entry("sleep", (it, step) -> Interpreter.await(timer(it, step))),
          Map.entry("start_sleep", nothing(Operations::startSleep)),
          Map.entry("awakeable", nothing(Operations::awakeable)),
          Map.entry("resolve_awakeable", nothing(Operations::resolveAwakeable)),
          Map.entry("reject_awakeable", nothing(Operations::rejectAwakeable)),
          Map.entry("await", Operations::await),
          Map.entry("race", Operations::race),
          Map.entry("all", Operations::all),
          Map.entry("promise_get", Operations::promiseGet),
          Map.entry("promise_peek", Operations::promisePeek),
          Map.entry("promise_resolve", nothing(Operations::promiseResolve)),
          Map.entry("promise_reject", nothing(Operations::promiseReject)),
          Map.entry("run", Operations::run),
          Map.entry("fail", Operations::fail),
          Map.entry("throw", nothing(Operations::fling)),
          Map.entry("try", Operations::attempt),
          Map.entry("effect", nothing(Operations::effect)),
          Map.entry("gate", nothing((it, step) -> Outside.gate(step.text("name")))),
          Map.entry("value", (it, step) -> step.value("v")),
          Map.entry("me", (it, step) -> new TextNode(it.ctx.request().invocationId().toString())),
          Map.entry("headers", Operations::headers));

  private Operations() {}

  static JsonNode perform(Interpreter it, Step step) throws Exception {
    Operation operation = OPERATIONS.get(step.text("op"));
    if (operation == null) {
      throw new TerminalException("no such operation: " + step.text("op"));
    }
    return operation.perform(it, step);
  }

  private static Operation nothing(Effect effect) {
    return (it, step) -> {
      effect.perform(it, step);
      return NullNode.instance;
    };
  }

  // State. The SDK gives every handler the same context behind the interface of its kind, and the
  // server refuses what a handler may not do; scenarios look at exactly that.

  private static ObjectContext state(Interpreter it) {
    return (ObjectContext) it.ctx;
  }

  private static StateKey<JsonNode> key(Step step) {
    return StateKey.of(step.text("k"), Payload.SERDE);
  }

  private static JsonNode get(Interpreter it, Step step) {
    return ((SharedObjectContext) it.ctx).get(key(step)).orElse(NullNode.instance);
  }

  private static JsonNode keys(Interpreter it, Step step) {
    ArrayNode keys = Payload.JSON.createArrayNode();
    ((SharedObjectContext) it.ctx).stateKeys().stream().sorted().forEach(keys::add);
    return keys;
  }

  // Calls

  private static Request<?, JsonNode> request(Step step) {
    String service = step.text("svc");
    String handler = step.text("handler");
    Target target =
        step.has("key")
            ? Target.virtualObject(service, step.text("key"), handler)
            : Target.service(service, handler);
    var request =
        step.has("arg")
            ? Request.of(target, Payload.SERDE, Payload.SERDE, step.value("arg"))
            : Request.of(target, Serde.VOID, Payload.SERDE, null);
    if (step.has("idem")) {
      request.idempotencyKey(step.text("idem"));
    }
    return request.headers(step.pairs("headers")).build();
  }

  private static CallDurableFuture<JsonNode> startedCall(Interpreter it, Step step) {
    return it.ctx.call(request(step));
  }

  /** Begin a call without waiting for its result; the answer is the callee's id. */
  private static JsonNode startCall(Interpreter it, Step step) {
    CallDurableFuture<JsonNode> future = startedCall(it, step);
    JsonNode callee = new TextNode(future.invocationId());
    it.keep(step.text("as"), future);
    it.keep(step.text("as") + ".id", callee);
    return callee;
  }

  private static JsonNode send(Interpreter it, Step step) {
    Duration delay = step.has("delay_ms") ? step.duration("delay_ms") : null;
    return new TextNode(it.ctx.send(request(step), delay).invocationId());
  }

  private static InvocationHandle<JsonNode> handle(Interpreter it, Step step) {
    return it.ctx.invocationHandle(step.text("id"), Payload.SERDE);
  }

  // Waiting

  private static DurableFuture<Void> timer(Interpreter it, Step step) {
    return it.ctx.timer(step.has("name") ? step.text("name") : null, step.duration("ms"));
  }

  private static void startSleep(Interpreter it, Step step) {
    it.keep(step.text("as"), timer(it, step));
  }

  /** Make an awakeable and publish its id to the outside under {@code tag}. */
  private static void awakeable(Interpreter it, Step step) throws Exception {
    Awakeable<JsonNode> awakeable = it.ctx.awakeable(Payload.SERDE);
    it.keep(step.text("as"), awakeable);
    it.keep(step.text("as") + ".id", new TextNode(awakeable.id()));
    if (step.has("tag")) {
      Outside.effect(step.text("tag"), awakeable.id());
    }
  }

  private static void resolveAwakeable(Interpreter it, Step step) {
    it.ctx.awakeableHandle(step.text("id")).resolve(Payload.SERDE, step.value("v"));
  }

  private static void rejectAwakeable(Interpreter it, Step step) {
    it.ctx.awakeableHandle(step.text("id")).reject(step.text("message"));
  }

  private static JsonNode await(Interpreter it, Step step) {
    return Interpreter.await(it.future(step.value("of").path("$").asText()));
  }

  private static List<DurableFuture<?>> futures(Interpreter it, Step step) {
    List<DurableFuture<?>> futures = new ArrayList<>();
    step.texts("of").forEach(name -> futures.add(it.future(name)));
    return futures;
  }

  /** Wait for the first of the named futures; the answer is its name. */
  private static JsonNode race(Interpreter it, Step step) {
    int winner = DurableFuture.any(futures(it, step)).await();
    return new TextNode(step.texts("of").get(winner));
  }

  private static JsonNode all(Interpreter it, Step step) {
    List<DurableFuture<?>> futures = futures(it, step);
    DurableFuture.all(futures).await();
    ArrayNode values = Payload.JSON.createArrayNode();
    futures.forEach(future -> values.add(Interpreter.await(future)));
    return values;
  }

  // Promises of a workflow

  private static SharedWorkflowContext promises(Interpreter it) {
    return (SharedWorkflowContext) it.ctx;
  }

  private static DurablePromiseKey<JsonNode> promise(Step step) {
    return DurablePromiseKey.of(step.text("name"), Payload.SERDE);
  }

  private static JsonNode promiseGet(Interpreter it, Step step) {
    return promises(it).promise(promise(step)).future().await();
  }

  private static JsonNode promisePeek(Interpreter it, Step step) {
    return promises(it).promise(promise(step)).peek().orElse(NullNode.instance);
  }

  private static void promiseResolve(Interpreter it, Step step) {
    promises(it).promiseHandle(promise(step)).resolve(step.value("v"));
  }

  private static void promiseReject(Interpreter it, Step step) {
    promises(it).promiseHandle(promise(step)).reject(step.text("message"));
  }

  // Steps, failures, and the world outside

  private static JsonNode run(Interpreter it, Step step) {
    return it.ctx.run(step.text("name"), Payload.SERDE, policy(step), () -> acted(step));
  }

  private static RetryPolicy policy(Step step) {
    if (!step.has("max_attempts") && !step.has("retry_ms")) {
      return null;
    }
    RetryPolicy policy = RetryPolicy.defaultPolicy();
    if (step.has("max_attempts")) {
      policy.setMaxAttempts(step.number("max_attempts", 0));
    }
    if (step.has("retry_ms")) {
      policy.setInitialDelay(step.duration("retry_ms"));
    }
    return policy;
  }

  private static JsonNode acted(Step step) throws Exception {
    int attempt = Outside.effect(step.text("tag"), "");
    if (step.has("gate")) {
      Outside.gate(step.text("gate"));
    }
    if (step.has("terminal")) {
      throw terminal(step, "terminal");
    }
    if (attempt <= step.number("failures", 0)) {
      throw new IllegalStateException(step.text("name") + " failed");
    }
    return step.value("v");
  }

  /** The failure that {@code field} is the message of. Failures of this SDK carry no metadata. */
  private static TerminalException terminal(Step step, String field) {
    return new TerminalException(step.number("code", 500), step.text(field));
  }

  private static JsonNode fail(Interpreter it, Step step) {
    throw terminal(step, "message");
  }

  /**
   * Fail this attempt, {@code times} times in all (for ever when it is missing). An exception of
   * this SDK carries no delay; only a step's own retry policy can ask for one.
   */
  private static void fling(Interpreter it, Step step) throws Exception {
    if (!step.has("retry_after_ms")) {
      flung(step);
      return;
    }
    RetryPolicy later = RetryPolicy.exponential(step.duration("retry_after_ms"), 1);
    it.ctx.run("throw", later, () -> flung(step));
  }

  private static void flung(Step step) throws Exception {
    int attempt = Outside.effect(step.text("tag"), "");
    if (attempt <= step.number("times", attempt)) {
      throw new IllegalStateException(step.text("message"));
    }
  }

  private static JsonNode attempt(Interpreter it, Step step) throws Exception {
    try {
      return it.run(step.value("do"));
    } catch (TerminalException failure) {
      ArrayNode results = Payload.JSON.createArrayNode();
      ObjectNode caught = results.addObject();
      caught.put("caught", failure.getMessage());
      caught.set("code", new IntNode(failure.getCode()));
      return results.addAll(it.run(step.value("catch")));
    }
  }

  private static void effect(Interpreter it, Step step) throws Exception {
    Outside.effect(step.text("tag"), step.text("text"));
  }

  private static JsonNode headers(Interpreter it, Step step) {
    Map<String, String> given = it.ctx.request().headers();
    ObjectNode found = Payload.JSON.createObjectNode();
    for (String name : step.texts("names")) {
      if (given.containsKey(name)) {
        found.put(name, given.get(name));
      }
    }
    return found;
  }
}
