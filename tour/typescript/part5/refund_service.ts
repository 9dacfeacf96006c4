// Refunds: a human at the box office decides, however long that takes.
import * as restate from "@restatedev/restate-sdk";
import * as emailClient from "../auxiliary/email_client.ts";

export const refunds = restate.service({
  name: "RefundService",
  handlers: {
    request: async (ctx: restate.Context, ticketId: string) => {
      const { id: answerTo, promise: decision } = ctx.awakeable<boolean>();
      const question = `Shall we take back ${ticketId}?`;
      await ctx.run("ask the box office", () => emailClient.askBoxOffice(question, answerTo));
      return (await decision) ? "refunded" : "refused";
    },
  },
});
