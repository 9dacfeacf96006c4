// A seat's ticket: one virtual object for each seat, the key is the seat's name.
import * as restate from "@restatedev/restate-sdk";

export const ticket = restate.object({
  name: "TicketObject",
  handlers: {
    reserve: async (ctx: restate.ObjectContext) => {
      return true;
    },

    unreserve: async (ctx: restate.ObjectContext) => {
      return;
    },

    markAsSold: async (ctx: restate.ObjectContext) => {
      return;
    },
  },
});
