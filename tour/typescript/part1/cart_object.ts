// A user's cart: one virtual object for each user, the key is the user's name.
import * as restate from "@restatedev/restate-sdk";
import { checkout } from "./checkout_service.ts";
import { ticket } from "./ticket_object.ts";

export const cart = restate.object({
  name: "CartObject",
  handlers: {
    addTicket: async (ctx: restate.ObjectContext, ticketId: string) => {
      const reserved = await ctx.objectClient(ticket, ticketId).reserve();
      return reserved;
    },

    checkout: async (ctx: restate.ObjectContext) => {
      const order = { user_id: ctx.key, tickets: ["seat2B"] };
      const paid = await ctx.serviceClient(checkout).handle(order);
      return paid;
    },

    expireTicket: async (ctx: restate.ObjectContext, ticketId: string) => {
      ctx.objectSendClient(ticket, ticketId).unreserve();
    },
  },
});
