// The benchmark's services on the official TypeScript SDK: `node services.ts PORT`.
// The same handlers as in services.py, which says what each is for.
import { randomBytes } from "node:crypto";
import { createServer } from "node:http2";
import * as restate from "@restatedev/restate-sdk";

// Base64 of random bytes: no compression makes it much shorter.
const STATE = randomBytes(750_000).toString("base64");
const FAN = 100;

type Bench = typeof bench;

let executed = 0;

async function steps(ctx: restate.Context, number: number): Promise<string> {
  let text = "";
  for (let step = 0; step < number; step++) text = await ctx.run(`step ${step}`, () => "done");
  return text;
}

const bench = restate.service({
  name: "Bench",
  handlers: {
    noop: async (_ctx: restate.Context, text: string): Promise<string> => {
      executed++;
      return text;
    },
    count: async (_ctx: restate.Context): Promise<number> => executed,
    three: async (ctx: restate.Context, _text: string): Promise<string> => steps(ctx, 3),
    nine: async (ctx: restate.Context, _text: string): Promise<string> => steps(ctx, 9),
    middle: async (ctx: restate.Context, text: string): Promise<string> =>
      ctx.serviceClient<Bench>({ name: "Bench" }).noop(text),
    chain: async (ctx: restate.Context, text: string): Promise<string> =>
      ctx.serviceClient<Bench>({ name: "Bench" }).middle(text),
    fan: async (ctx: restate.Context, text: string): Promise<number> => {
      const client = ctx.serviceClient<Bench>({ name: "Bench" });
      const calls = Array.from({ length: FAN }, () => client.noop(text));
      await restate.RestatePromise.all(calls);
      return calls.length;
    },
  },
});

const counter = restate.object({
  name: "Counter",
  handlers: {
    add: async (ctx: restate.ObjectContext, _text: string): Promise<number> => {
      const value = ((await ctx.get<number>("value")) ?? 0) + 1;
      ctx.set("value", value);
      return value;
    },
  },
});

const big = restate.object({
  name: "Big",
  handlers: {
    fill: async (ctx: restate.ObjectContext, _text: string): Promise<void> => {
      ctx.set("blob", STATE);
    },
    touch: async (ctx: restate.ObjectContext, _text: string): Promise<number> => {
      const size = ((await ctx.get<string>("blob")) ?? "").length;
      ctx.set("size", size);
      return size;
    },
  },
});

createServer(restate.createEndpointHandler({ services: [bench, counter, big] })).listen(
  Number(process.argv[2]),
  "127.0.0.1",
);
