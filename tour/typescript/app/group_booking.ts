// Group bookings: all of the seats, or none.
import * as restate from "@restatedev/restate-sdk";

/** A group and the seats it wants. */
export type Group = { leader: string; tickets: string[] };

export const groups = restate.service({
  name: "GroupBooking",
  handlers: {
    book: async (ctx: restate.Context, group: Group) => {
      return true;
    },
  },
});
