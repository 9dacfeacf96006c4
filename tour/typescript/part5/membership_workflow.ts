// Becoming a member of the theatre: one workflow for each user, the key is the user's name.
import * as restate from "@restatedev/restate-sdk";
import * as emailClient from "../auxiliary/email_client.ts";

export const membership = restate.workflow({
  name: "MembershipWorkflow",
  handlers: {
    run: async (ctx: restate.WorkflowContext, email: string) => {
      const code = String(Math.floor(ctx.rand.random() * 1_000_000)).padStart(6, "0");
      ctx.set("status", "waiting for the code");
      await ctx.run("send code", () => emailClient.sendCode(email, code));
      const entered = await ctx.promise<string>("code");
      if (entered !== code) {
        ctx.set("status", "refused");
        throw new restate.TerminalError("That was another code.", { errorCode: 403 });
      }
      ctx.set("status", "member");
      return "member";
    },

    confirm: async (ctx: restate.WorkflowSharedContext, code: string) => {
      await ctx.promise<string>("code").resolve(code);
    },

    status: async (ctx: restate.WorkflowSharedContext) => {
      return (await ctx.get<string>("status")) ?? "unknown";
    },
  },
});
