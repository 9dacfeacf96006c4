// The checkout: a plain service, each request on its own.
import * as restate from "@restatedev/restate-sdk";
import * as emailClient from "../auxiliary/email_client.ts";
import * as paymentClient from "../auxiliary/payment_client.ts";

const PRICE = 40;

/** Who buys which seats. The names are those of the Python stages, so that all requests fit both. */
export type Order = { user_id: string; tickets: string[] };

export const checkout = restate.service({
  name: "CheckoutService",
  handlers: {
    handle: async (ctx: restate.Context, order: Order) => {
      const amount = PRICE * order.tickets.length;
      // The same in every attempt, so that the provider knows a repeated request when it sees one.
      const paymentKey = ctx.rand.uuidv4();
      const paid = await ctx.run("payment", () => paymentClient.call(paymentKey, amount));
      const notify = paid ? emailClient.paymentSucceeded : emailClient.paymentFailed;
      await ctx.run("notify", () => notify(order.user_id));
      return paid;
    },
  },
});
