// A user's cart: one virtual object for each user, the key is the user's name.
import * as restate from "@restatedev/restate-sdk";

export const cart = restate.object({
  name: "CartObject",
  handlers: {
    addTicket: async (ctx: restate.ObjectContext, ticketId: string) => {
      return true;
    },

    checkout: async (ctx: restate.ObjectContext) => {
      return true;
    },

    expireTicket: async (ctx: restate.ObjectContext, ticketId: string) => {
      return;
    },
  },
});
