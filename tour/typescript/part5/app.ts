// What is served: `node part5/app.ts`.
import * as restate from "@restatedev/restate-sdk";
import { cart } from "./cart_object.ts";
import { checkout } from "./checkout_service.ts";
import { groups } from "./group_booking.ts";
import { membership } from "./membership_workflow.ts";
import { refunds } from "./refund_service.ts";
import { ticket } from "./ticket_object.ts";

restate.serve({
  services: [cart, ticket, checkout, refunds, membership, groups],
  port: Number(process.env.PORT ?? 9080),
});
