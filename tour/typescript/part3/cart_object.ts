// A user's cart: one virtual object for each user, the key is the user's name.
import * as restate from "@restatedev/restate-sdk";
import { checkout } from "./checkout_service.ts";
import { ticket } from "./ticket_object.ts";

const RESERVED_FOR = { minutes: 15 };

export const cart = restate.object({
  name: "CartObject",
  handlers: {
    addTicket: async (ctx: restate.ObjectContext, ticketId: string) => {
      const reserved = await ctx.objectClient(ticket, ticketId).reserve();
      if (reserved) {
        const tickets = (await ctx.get<string[]>("tickets")) ?? [];
        ctx.set("tickets", [...tickets, ticketId]);
        const me = ctx.objectSendClient(cart, ctx.key);
        me.expireTicket(ticketId, restate.rpc.sendOpts({ delay: RESERVED_FOR }));
      }
      return reserved;
    },

    checkout: async (ctx: restate.ObjectContext) => {
      const tickets = (await ctx.get<string[]>("tickets")) ?? [];
      if (tickets.length === 0) return false;
      const paid = await ctx.serviceClient(checkout).handle({ user_id: ctx.key, tickets });
      if (paid) {
        for (const ticketId of tickets) ctx.objectSendClient(ticket, ticketId).markAsSold();
        ctx.clear("tickets");
      }
      return paid;
    },

    expireTicket: async (ctx: restate.ObjectContext, ticketId: string) => {
      const tickets = (await ctx.get<string[]>("tickets")) ?? [];
      if (tickets.includes(ticketId)) {
        ctx.set("tickets", tickets.filter((each) => each !== ticketId));
        ctx.objectSendClient(ticket, ticketId).unreserve();
      }
    },
  },
});
