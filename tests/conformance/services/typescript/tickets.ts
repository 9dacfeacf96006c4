// The theatre of `tickets.py` on the official TypeScript SDK.
import * as restate from "@restatedev/restate-sdk";
import { effect, switchedOn } from "./outside.ts";

const RESERVED_FOR_MS = 15 * 60 * 1000;
const SOON_MS = 1000;
const PRICE = 40;

const noInput = { input: restate.serde.empty };

export const ticket = restate.object({
  name: "TicketObject",
  handlers: {
    /** Take the seat if it is free. */
    reserve: restate.handlers.object.exclusive(noInput, async (ctx: restate.ObjectContext) => {
      if (((await ctx.get<string>("status")) ?? "AVAILABLE") !== "AVAILABLE") return false;
      ctx.set("status", "RESERVED");
      return true;
    }),
    /** Free the seat, unless it is sold. */
    unreserve: restate.handlers.object.exclusive(noInput, async (ctx: restate.ObjectContext) => {
      if ((await ctx.get("status")) !== "SOLD") ctx.clear("status");
    }),
    markAsSold: restate.handlers.object.exclusive(noInput, async (ctx: restate.ObjectContext) => {
      if ((await ctx.get("status")) === "RESERVED") ctx.set("status", "SOLD");
    }),
  },
});

type Order = { userId: string; tickets: string[] };

export const checkout = restate.service({
  name: "CheckoutService",
  handlers: {
    /** Charge once, however often the payment has to be tried, then send the mail. */
    handle: async (ctx: restate.Context, { userId, tickets }: Order) => {
      const paymentId = await ctx.run("payment_id", () => `${userId}/${tickets.length}`);
      const amount = await ctx.run("payment", () => {
        effect(`payment-attempts ${userId}`, paymentId);
        if (switchedOn(`payment-fails ${userId}`)) throw new Error("The payment service is down");
        effect(`payments ${userId}`, paymentId);
        return PRICE * tickets.length;
      });
      await ctx.run("mail", () => effect(`mails ${userId}`, String(amount)));
      return true;
    },
  },
});

export const cart = restate.object({
  name: "CartObject",
  handlers: {
    /** Reserve a seat and put it in the cart; it leaves again when nobody pays in time. */
    addTicket: async (ctx: restate.ObjectContext, ticketId: string) => {
      if (!(await ctx.objectClient(ticket, ticketId).reserve())) return false;
      ctx.set("tickets", [...((await ctx.get<string[]>("tickets")) ?? []), ticketId]);
      const delay = switchedOn(`expires-soon ${ticketId}`) ? SOON_MS : RESERVED_FOR_MS;
      ctx
        .objectSendClient(cart as any, ctx.key)
        .expireTicket(ticketId, restate.rpc.sendOpts({ delay }));
      return true;
    },
    /** Pay for what is in the cart; on success the seats are sold and the cart is empty. */
    checkout: restate.handlers.object.exclusive(noInput, async (ctx: restate.ObjectContext) => {
      const tickets = (await ctx.get<string[]>("tickets")) ?? [];
      if (tickets.length === 0) return false;
      const order = { userId: ctx.key, tickets };
      if (!(await ctx.serviceClient(checkout).handle(order))) return false;
      for (const ticketId of tickets) await ctx.objectClient(ticket, ticketId).markAsSold();
      ctx.clear("tickets");
      return true;
    }),
    /** Take one seat out of the cart, if it is still there, and free it. */
    expireTicket: async (ctx: restate.ObjectContext, ticketId: string) => {
      const tickets = (await ctx.get<string[]>("tickets")) ?? [];
      if (!tickets.includes(ticketId)) return;
      ctx.set("tickets", tickets.filter((other) => other !== ticketId));
      ctx.objectSendClient(ticket, ticketId).unreserve();
    },
  },
});

export const all: any[] = [cart, ticket, checkout];
