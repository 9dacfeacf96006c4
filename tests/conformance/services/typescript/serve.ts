// Serve all services over h2c on one loopback port: `node serve.ts PORT`.
import { createServer } from "node:http2";
import * as restate from "@restatedev/restate-sdk";
import { all as everything } from "./everything.ts";
import { all as tickets } from "./tickets.ts";

const services = [...everything, ...tickets];
createServer(restate.createEndpointHandler({ services })).listen(
  Number(process.argv[2]),
  "127.0.0.1",
);
