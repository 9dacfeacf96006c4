// What is served: `node part1/app.ts`.
import * as restate from "@restatedev/restate-sdk";
import { cart } from "./cart_object.ts";
import { checkout } from "./checkout_service.ts";
import { ticket } from "./ticket_object.ts";

restate.serve({ services: [cart, ticket, checkout], port: Number(process.env.PORT ?? 9080) });
