package conformance;

import com.fasterxml.jackson.databind.JsonNode;
import dev.restate.sdk.Context;
import dev.restate.sdk.ObjectContext;
import dev.restate.sdk.SharedObjectContext;
import dev.restate.sdk.SharedWorkflowContext;
import dev.restate.sdk.WorkflowContext;
import dev.restate.sdk.annotation.Accept;
import dev.restate.sdk.annotation.Handler;
import dev.restate.sdk.annotation.Name;
import dev.restate.sdk.annotation.Raw;
import dev.restate.sdk.annotation.Service;
import dev.restate.sdk.annotation.Shared;
import dev.restate.sdk.annotation.VirtualObject;
import dev.restate.sdk.annotation.Workflow;
import dev.restate.sdk.common.StateKey;
import dev.restate.sdk.endpoint.Endpoint;
import dev.restate.sdk.endpoint.definition.InvocationRetryPolicy;
import dev.restate.sdk.endpoint.definition.InvocationRetryPolicy.OnMaxAttempts;
import java.time.Duration;

/**
 * The services of the scenarios, with the names and options of {@code everything.py}.
 *
 * <p>Nested classes would be called after the outer one too, hence the names.
 */
public final class Everything {
  private static final Duration SOON = Duration.ofMillis(100);
  private static final Duration BRIEF = Duration.ofSeconds(3);

  private Everything() {}

  @Service
  @Name("Svc")
  public static class Svc {
    @Handler
    public JsonNode run(Context ctx, JsonNode program) throws Exception {
      return Interpreter.execute(ctx, program);
    }

    @Handler
    public JsonNode echo(Context ctx, JsonNode value) {
      return value;
    }

    @Handler
    public void noop(Context ctx) {}

    @Handler
    @Raw
    public byte[] raw(Context ctx, @Accept("*/*") @Raw byte[] body) {
      byte[] reversed = new byte[body.length];
      for (int index = 0; index < body.length; index++) {
        reversed[index] = body[body.length - 1 - index];
      }
      return reversed;
    }

    @Handler
    public JsonNode hidden(Context ctx, JsonNode program) throws Exception {
      return Interpreter.execute(ctx, program);
    }
  }

  @VirtualObject
  @Name("Obj")
  public static class Obj {
    private static final StateKey<Integer> COUNT = StateKey.of("count", Integer.class);

    @Handler
    public JsonNode run(ObjectContext ctx, JsonNode program) throws Exception {
      return Interpreter.execute(ctx, program);
    }

    @Shared
    public JsonNode look(SharedObjectContext ctx, JsonNode program) throws Exception {
      return Interpreter.execute(ctx, program);
    }

    /** Add one and return the sum. */
    @Handler
    public int count(ObjectContext ctx) {
      int total = ctx.get(COUNT).orElse(0) + 1;
      ctx.set(COUNT, total);
      return total;
    }
  }

  @Service
  @Name("Quick")
  public static class Quick {
    @Handler
    public JsonNode run(Context ctx, JsonNode program) throws Exception {
      return Interpreter.execute(ctx, program);
    }
  }

  @Service
  @Name("Private")
  public static class Private {
    @Handler
    public JsonNode run(Context ctx, JsonNode program) throws Exception {
      return Interpreter.execute(ctx, program);
    }
  }

  @Service
  @Name("Kill3")
  public static class Kill3 {
    @Handler
    public JsonNode run(Context ctx, JsonNode program) throws Exception {
      return Interpreter.execute(ctx, program);
    }
  }

  @Service
  @Name("Brief")
  public static class Brief {
    @Handler
    public JsonNode run(Context ctx, JsonNode program) throws Exception {
      return Interpreter.execute(ctx, program);
    }
  }

  @Service
  @Name("Forget")
  public static class Forget {
    @Handler
    public JsonNode run(Context ctx, JsonNode program) throws Exception {
      return Interpreter.execute(ctx, program);
    }
  }

  @VirtualObject
  @Name("Pause2")
  public static class Pause2 {
    @Handler
    public JsonNode run(ObjectContext ctx, JsonNode program) throws Exception {
      return Interpreter.execute(ctx, program);
    }
  }

  @VirtualObject
  @Name("QuickObj")
  public static class QuickObj {
    @Handler
    public JsonNode run(ObjectContext ctx, JsonNode program) throws Exception {
      return Interpreter.execute(ctx, program);
    }
  }

  @VirtualObject
  @Name("Lazy")
  public static class Lazy {
    @Handler
    public JsonNode run(ObjectContext ctx, JsonNode program) throws Exception {
      return Interpreter.execute(ctx, program);
    }
  }

  @Workflow
  @Name("Flow")
  public static class Flow {
    @Workflow
    public JsonNode run(WorkflowContext ctx, JsonNode program) throws Exception {
      return Interpreter.execute(ctx, program);
    }

    @Shared
    public JsonNode touch(SharedWorkflowContext ctx, JsonNode program) throws Exception {
      return Interpreter.execute(ctx, program);
    }
  }

  @Workflow
  @Name("BriefFlow")
  public static class BriefFlow {
    @Workflow
    public JsonNode run(WorkflowContext ctx, JsonNode program) throws Exception {
      return Interpreter.execute(ctx, program);
    }

    @Shared
    public JsonNode touch(SharedWorkflowContext ctx, JsonNode program) throws Exception {
      return Interpreter.execute(ctx, program);
    }
  }

  private static InvocationRetryPolicy policy(int attempts, OnMaxAttempts then) {
    return InvocationRetryPolicy.builder()
        .initialInterval(Duration.ofMillis(20))
        .maxAttempts(attempts)
        .onMaxAttempts(then)
        .build();
  }

  static Endpoint endpoint() {
    return Endpoint.builder()
        .bind(
            new Svc(),
            it ->
                it.addMetadata("team", "conformance")
                    .configureHandler("hidden", hidden -> hidden.ingressPrivate(true)))
        .bind(new Obj())
        .bind(new Quick(), it -> it.inactivityTimeout(SOON))
        .bind(new Private(), it -> it.ingressPrivate(true))
        .bind(new Kill3(), it -> it.invocationRetryPolicy(policy(3, OnMaxAttempts.KILL)))
        .bind(new Pause2(), it -> it.invocationRetryPolicy(policy(2, OnMaxAttempts.PAUSE)))
        .bind(new Brief(), it -> it.idempotencyRetention(BRIEF).journalRetention(BRIEF))
        .bind(new Forget(), it -> it.journalRetention(Duration.ZERO))
        .bind(new QuickObj(), it -> it.inactivityTimeout(SOON))
        .bind(new Lazy(), it -> it.enableLazyState(true))
        .bind(new Flow(), it -> it.inactivityTimeout(SOON))
        .bind(new BriefFlow(), it -> it.workflowRetention(BRIEF))
        .build();
  }
}
