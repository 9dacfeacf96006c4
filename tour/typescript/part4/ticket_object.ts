// A seat's ticket: one virtual object for each seat, the key is the seat's name.
// Its status goes from AVAILABLE (nothing stored) to RESERVED and on to SOLD, or back.
import * as restate from "@restatedev/restate-sdk";

export const ticket = restate.object({
  name: "TicketObject",
  handlers: {
    reserve: async (ctx: restate.ObjectContext) => {
      const status = (await ctx.get<string>("status")) ?? "AVAILABLE";
      if (status !== "AVAILABLE") return false;
      ctx.set("status", "RESERVED");
      return true;
    },

    unreserve: async (ctx: restate.ObjectContext) => {
      const status = await ctx.get<string>("status");
      if (status !== "SOLD") ctx.clear("status");
    },

    markAsSold: async (ctx: restate.ObjectContext) => {
      const status = await ctx.get<string>("status");
      if (status === "RESERVED") ctx.set("status", "SOLD");
    },
  },
});
