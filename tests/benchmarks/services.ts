// The benchmark's services on the official TypeScript SDK: `node services.ts PORT`.
import { createServer } from "node:http2";
import * as restate from "@restatedev/restate-sdk";

const bench = restate.service({
  name: "Bench",
  handlers: {
    noop: async (_ctx: restate.Context, text: string) => text,
    three: async (ctx: restate.Context, text: string) => {
      for (let step = 0; step < 3; step++) text = await ctx.run(`step ${step}`, () => "done");
      return text;
    },
  },
});
const counter = restate.object({
  name: "Counter",
  handlers: {
    add: async (ctx: restate.ObjectContext, _text: string) => {
      const value = ((await ctx.get<number>("value")) ?? 0) + 1;
      ctx.set("value", value);
      return value;
    },
  },
});
createServer(restate.createEndpointHandler({ services: [bench, counter] })).listen(
  Number(process.argv[2]),
  "127.0.0.1",
);
