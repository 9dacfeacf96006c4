//! The services of the scenarios, with the names and options of `everything.py`.

use restate_sdk::endpoint::ServiceOptions;
use restate_sdk::prelude::*;
use restate_sdk::service::IntoServiceDefinition;
use serde_json::Value;

use crate::interpreter::{Ctx, execute};
use crate::step::Program;

type Results = Json<Vec<Value>>;

struct Svc;

#[service]
impl Svc {
    #[handler]
    async fn run(&self, ctx: Context<'_>, program: Json<Program>) -> HandlerResult<Results> {
        execute(Ctx::Service(ctx), program).await
    }

    #[handler]
    async fn echo(&self, _ctx: Context<'_>, value: Json<Value>) -> HandlerResult<Json<Value>> {
        Ok(value)
    }

    #[handler]
    async fn noop(&self, _ctx: Context<'_>) -> HandlerResult<()> {
        Ok(())
    }

    #[handler]
    async fn raw(&self, _ctx: Context<'_>, mut body: Vec<u8>) -> HandlerResult<Vec<u8>> {
        body.reverse();
        Ok(body)
    }

    #[handler(ingress_private)]
    async fn hidden(&self, ctx: Context<'_>, program: Json<Program>) -> HandlerResult<Results> {
        execute(Ctx::Service(ctx), program).await
    }
}

struct Obj;

#[object]
impl Obj {
    #[handler]
    async fn run(&self, ctx: ObjectContext<'_>, program: Json<Program>) -> HandlerResult<Results> {
        execute(Ctx::Object(ctx), program).await
    }

    #[handler]
    async fn look(
        &self,
        ctx: SharedObjectContext<'_>,
        program: Json<Program>,
    ) -> HandlerResult<Results> {
        execute(Ctx::SharedObject(ctx), program).await
    }

    /// Add one and return the sum.
    #[handler]
    async fn count(&self, ctx: ObjectContext<'_>) -> HandlerResult<u64> {
        let total = ctx.get::<u64>("count").await?.unwrap_or(0) + 1;
        ctx.set("count", total);
        Ok(total)
    }
}

macro_rules! services {
    ($($name:ident($($option:tt)*);)*) => {$(
        struct $name;

        #[service($($option)*)]
        impl $name {
            #[handler]
            async fn run(
                &self,
                ctx: Context<'_>,
                program: Json<Program>,
            ) -> HandlerResult<Results> {
                execute(Ctx::Service(ctx), program).await
            }
        }
    )*};
}

macro_rules! objects {
    ($($name:ident($($option:tt)*);)*) => {$(
        struct $name;

        #[object($($option)*)]
        impl $name {
            #[handler]
            async fn run(
                &self,
                ctx: ObjectContext<'_>,
                program: Json<Program>,
            ) -> HandlerResult<Results> {
                execute(Ctx::Object(ctx), program).await
            }
        }
    )*};
}

macro_rules! workflows {
    ($($name:ident($($option:tt)*);)*) => {$(
        struct $name;

        #[workflow($($option)*)]
        impl $name {
            #[handler]
            async fn run(
                &self,
                ctx: WorkflowContext<'_>,
                program: Json<Program>,
            ) -> HandlerResult<Results> {
                execute(Ctx::Workflow(ctx), program).await
            }

            #[handler]
            async fn touch(
                &self,
                ctx: SharedWorkflowContext<'_>,
                program: Json<Program>,
            ) -> HandlerResult<Results> {
                execute(Ctx::SharedWorkflow(ctx), program).await
            }
        }
    )*};
}

services! {
    Quick(inactivity_timeout = "100ms");
    Private(ingress_private);
    Kill3(invocation_retry_policy(
        initial_interval = "20ms", max_attempts = 3, on_max_attempts = "kill"
    ));
    Brief(idempotency_retention = "3s", journal_retention = "3s");
    Forget(journal_retention = "0s");
}

objects! {
    Pause2(invocation_retry_policy(
        initial_interval = "20ms", max_attempts = 2, on_max_attempts = "pause"
    ));
    QuickObj(inactivity_timeout = "100ms");
    Lazy(lazy_state);
}

workflows! {
    Flow(inactivity_timeout = "100ms");
    BriefFlow(workflow_completion_retention = "3s");
}

pub fn endpoint() -> Endpoint {
    let team = ServiceOptions::new().metadata("team", "conformance");
    Endpoint::builder()
        .bind(Svc.into_service_definition().options(team))
        .bind(Obj)
        .bind(Quick)
        .bind(Private)
        .bind(Kill3)
        .bind(Pause2)
        .bind(Brief)
        .bind(Forget)
        .bind(QuickObj)
        .bind(Lazy)
        .bind(Flow)
        .bind(BriefFlow)
        .build()
}
