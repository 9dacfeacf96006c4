// The checkout: a plain service, each request on its own.
import * as restate from "@restatedev/restate-sdk";

/** Who buys which seats. The names are those of the Python stages, so that all requests fit both. */
export type Order = { user_id: string; tickets: string[] };

export const checkout = restate.service({
  name: "CheckoutService",
  handlers: {
    handle: async (ctx: restate.Context, order: Order) => {
      return true;
    },
  },
});
