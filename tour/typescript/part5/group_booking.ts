// Group bookings: all of the seats, or none.
import * as restate from "@restatedev/restate-sdk";
import { ticket } from "./ticket_object.ts";

const TIME_TO_THINK = { minutes: 2 };

/** A group and the seats it wants. */
export type Group = { leader: string; tickets: string[] };

export const groups = restate.service({
  name: "GroupBooking",
  handlers: {
    book: async (ctx: restate.Context, group: Group) => {
      const held: string[] = [];
      try {
        for (const ticketId of group.tickets) {
          if (!(await ctx.objectClient(ticket, ticketId).reserve())) {
            throw new restate.TerminalError(`${ticketId} is taken.`, { errorCode: 409 });
          }
          held.push(ticketId);
        }
        // Until then the leader may cancel, which throws a TerminalError here.
        await ctx.sleep(TIME_TO_THINK);
      } catch (error) {
        if (error instanceof restate.TerminalError) {
          for (const ticketId of held.toReversed()) await ctx.objectClient(ticket, ticketId).unreserve();
        }
        throw error;
      }
      for (const ticketId of held) ctx.objectSendClient(ticket, ticketId).markAsSold();
      return true;
    },
  },
});
