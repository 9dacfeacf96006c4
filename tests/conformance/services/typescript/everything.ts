// The services of the scenarios, with the names and options of `everything.py`.
import * as restate from "@restatedev/restate-sdk";
import { execute } from "./interpreter.ts";

const SOON = 100;
const BRIEF = 3000;

function policy(maxAttempts: number, onMaxAttempts: "kill" | "pause") {
  return { initialInterval: 20, maxAttempts, onMaxAttempts };
}

function service(name: string, options: object = {}) {
  return restate.service({ name, handlers: { run: execute }, options });
}

const svc = restate.service({
  name: "Svc",
  metadata: { team: "conformance" },
  handlers: {
    run: execute,
    echo: async (_ctx: restate.Context, value: any) => value,
    noop: restate.handlers.handler(
      { input: restate.serde.empty, output: restate.serde.empty },
      async (_ctx: restate.Context) => {},
    ),
    raw: restate.handlers.handler(
      { accept: "*/*", input: restate.serde.binary, output: restate.serde.binary },
      async (_ctx: restate.Context, body: Uint8Array) => body.slice().reverse(),
    ),
    hidden: restate.handlers.handler({ ingressPrivate: true }, execute),
  },
});

const obj = restate.object({
  name: "Obj",
  handlers: {
    run: execute,
    look: restate.handlers.object.shared(execute),
    count: restate.handlers.object.exclusive(
      { input: restate.serde.empty },
      async (ctx: restate.ObjectContext) => {
        const total = ((await ctx.get<number>("count")) ?? 0) + 1;
        ctx.set("count", total);
        return total;
      },
    ),
  },
});

function object(name: string, options: object) {
  return restate.object({ name, handlers: { run: execute }, options });
}

function workflow(name: string, options: object) {
  return restate.workflow({ name, handlers: { run: execute, touch: execute }, options });
}

export const all: any[] = [
  svc,
  obj,
  service("Quick", { inactivityTimeout: SOON }),
  service("Private", { ingressPrivate: true }),
  service("Kill3", { retryPolicy: policy(3, "kill") }),
  object("Pause2", { retryPolicy: policy(2, "pause") }),
  service("Brief", { idempotencyRetention: BRIEF, journalRetention: BRIEF }),
  service("Forget", { journalRetention: 0 }),
  object("QuickObj", { inactivityTimeout: SOON }),
  object("Lazy", { enableLazyState: true }),
  workflow("Flow", { inactivityTimeout: SOON }),
  workflow("BriefFlow", { workflowRetention: BRIEF }),
];
