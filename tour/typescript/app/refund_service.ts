// Refunds: a human at the box office decides, however long that takes.
import * as restate from "@restatedev/restate-sdk";

export const refunds = restate.service({
  name: "RefundService",
  handlers: {
    request: async (ctx: restate.Context, ticketId: string) => {
      return "refunded";
    },
  },
});
