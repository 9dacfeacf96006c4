// Becoming a member of the theatre: one workflow for each user, the key is the user's name.
import * as restate from "@restatedev/restate-sdk";

export const membership = restate.workflow({
  name: "MembershipWorkflow",
  handlers: {
    run: async (ctx: restate.WorkflowContext, email: string) => {
      return "member";
    },

    confirm: async (ctx: restate.WorkflowSharedContext, code: string) => {
      return;
    },

    status: async (ctx: restate.WorkflowSharedContext) => {
      return "unknown";
    },
  },
});
