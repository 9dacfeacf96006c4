//! One function per operation of the language.

use restate_sdk::context::{CallFuture, DurableFuture, DurableFuturesUnordered, RequestTarget};
use restate_sdk::prelude::*;
use serde_json::{Value, json};

use crate::interpreter::{Ctx, Failure, Interpreter, any};
use crate::outside;
use crate::step::Step;

type Done = Result<Value, Failure>;

/// JSON in which no bytes at all stand for null.
type Payload = Option<Json<Value>>;

const NOTHING: Done = Ok(Value::Null);

fn plain(payload: Payload) -> Value {
    payload.map(Json::into_inner).unwrap_or_default()
}

pub async fn perform(it: &mut Interpreter<'_>, step: &Step) -> Done {
    match step.text("op") {
        "set" | "get" | "keys" | "clear" | "clear_all" => state(it, step).await,
        "call" => call(it, step).await,
        "start_call" => start_call(it, step).await,
        "await" | "await_call" => wait(it, step).await,
        "send" => send(it, step).await,
        "cancel" => cancel(it, step),
        "attach" => attach(it, step).await,
        "sleep" => sleep(it, step).await,
        "start_sleep" => start_sleep(it, step),
        "awakeable" => awakeable(it, step),
        "resolve_awakeable" | "reject_awakeable" => complete_awakeable(it, step),
        "signal" => signal(it, step),
        "resolve_signal" | "reject_signal" => complete_signal(it, step),
        "race" => race(it, step).await,
        "all" => all(it, step).await,
        "promise_get" | "promise_peek" => read_promise(it, step).await,
        "promise_resolve" | "promise_reject" => complete_promise(it, step),
        "run" => run(it, step).await,
        "fail" => Err(terminal(step, "message").into()),
        "throw" => throw(it, step).await,
        "try" => attempt(it, step).await,
        "effect" => outside::effect(step.text("tag"), step.text("text"))
            .map_or_else(|error| Err(error.into()), |_| NOTHING),
        "gate" => {
            outside::gate(step.text("name")).await;
            NOTHING
        }
        "value" => Ok(step.value("v")),
        "me" => Ok(any!(it.ctx, ctx => ctx.invocation_id()).into()),
        "headers" => headers(it, step),
        unknown => Err(TerminalError::new(format!("no such operation: {unknown}")).into()),
    }
}

// State

macro_rules! reads {
    ($ctx:expr, $inner:ident => $does:expr) => {
        match $ctx {
            Ctx::Object($inner) => $does,
            Ctx::SharedObject($inner) => $does,
            Ctx::Workflow($inner) => $does,
            Ctx::SharedWorkflow($inner) => $does,
            Ctx::Service(_) => return Err(unavailable("state")),
        }
    };
}

macro_rules! writes {
    ($ctx:expr, $inner:ident => $does:expr) => {
        match $ctx {
            Ctx::Object($inner) => $does,
            Ctx::Workflow($inner) => $does,
            _ => return Err(unavailable("writing state")),
        }
    };
}

/// What the context of a handler's kind has no method for.
fn unavailable(what: &str) -> Failure {
    TerminalError::new(format!("{what} is not offered to this kind of handler")).into()
}

async fn state(it: &mut Interpreter<'_>, step: &Step) -> Done {
    let key = step.text("k");
    match step.text("op") {
        "get" => {
            let value = reads!(it.ctx, ctx => ctx.get::<Json<Value>>(key).await?);
            return Ok(plain(value));
        }
        "keys" => {
            let mut keys = reads!(it.ctx, ctx => ctx.get_keys().await?);
            keys.sort();
            return Ok(keys.into());
        }
        "set" => writes!(it.ctx, ctx => ctx.set(key, Json(step.value("v")))),
        "clear" => writes!(it.ctx, ctx => ctx.clear(key)),
        _ => writes!(it.ctx, ctx => ctx.clear_all()),
    }
    NOTHING
}

// Calls

fn request<'ctx>(
    it: &Interpreter<'ctx>,
    step: &Step,
) -> restate_sdk::context::Request<'ctx, Payload, Payload> {
    let (service, handler) = (step.text("svc"), step.text("handler"));
    let target = match step.optional_text("key") {
        Some(key) => RequestTarget::object(service, key, handler),
        None => RequestTarget::service(service, handler),
    };
    let argument = step.has("arg").then(|| Json(step.value("arg")));
    let mut request = any!(it.ctx, ctx => ctx.request(target, argument));
    if let Some(key) = step.optional_text("idem") {
        request = request.idempotency_key(key);
    }
    for (name, value) in step.pairs("headers") {
        request = request.header(name, value);
    }
    request
}

async fn call(it: &mut Interpreter<'_>, step: &Step) -> Done {
    Ok(plain(request(it, step).call().await?))
}

/// Begin a call without waiting for its result; the answer is the callee's id.
async fn start_call(it: &mut Interpreter<'_>, step: &Step) -> Done {
    let future = request(it, step).call();
    let callee = future.invocation_handle().await?.invocation_id().to_owned();
    it.keep_future(step.text("as"), future.map_ok(plain));
    it.keep_value(&format!("{}.id", step.text("as")), callee.clone().into());
    Ok(callee.into())
}

async fn send(it: &mut Interpreter<'_>, step: &Step) -> Done {
    let request = request(it, step);
    let sent = match step.duration("delay_ms") {
        Some(delay) => request.send_after(delay),
        None => request.send(),
    };
    Ok(sent.await?.invocation_id().into())
}

fn cancel(it: &Interpreter<'_>, step: &Step) -> Done {
    any!(it.ctx, ctx => ctx.invocation_handle(step.text("id").to_owned())).cancel();
    NOTHING
}

async fn attach(it: &mut Interpreter<'_>, step: &Step) -> Done {
    let handle = any!(it.ctx, ctx => ctx.invocation_handle(step.text("id").to_owned()));
    Ok(plain(handle.attach::<Payload>().await?))
}

// Waiting

async fn sleep(it: &mut Interpreter<'_>, step: &Step) -> Done {
    let duration = step.duration("ms").unwrap_or_default();
    any!(it.ctx, ctx => ctx.sleep(duration).await)?;
    NOTHING
}

fn start_sleep(it: &mut Interpreter<'_>, step: &Step) -> Done {
    let duration = step.duration("ms").unwrap_or_default();
    any!(it.ctx, ctx => it.keep_future(step.text("as"), ctx.sleep(duration).map_ok(Value::from)));
    NOTHING
}

/// Make an awakeable and publish its id to the outside under `tag`.
fn awakeable(it: &mut Interpreter<'_>, step: &Step) -> Done {
    let name = step.text("as");
    let id = any!(it.ctx, ctx => {
        let (id, future) = ctx.awakeable::<Payload>();
        it.keep_future(name, future.map_ok(plain));
        id
    });
    if let Some(tag) = step.optional_text("tag") {
        outside::effect(tag, &id)?;
    }
    it.keep_value(&format!("{name}.id"), id.into());
    NOTHING
}

fn complete_awakeable(it: &Interpreter<'_>, step: &Step) -> Done {
    let id = step.text("id");
    if step.text("op") == "resolve_awakeable" {
        any!(it.ctx, ctx => ctx.resolve_awakeable(id, Json(step.value("v"))));
    } else {
        any!(it.ctx, ctx => ctx.reject_awakeable(id, terminal(step, "message")));
    }
    NOTHING
}

fn signal(it: &mut Interpreter<'_>, step: &Step) -> Done {
    any!(it.ctx, ctx => {
        let future = ctx.signal::<Payload>(step.text("name"));
        it.keep_future(step.text("as"), future.map_ok(plain));
    });
    NOTHING
}

fn complete_signal(it: &Interpreter<'_>, step: &Step) -> Done {
    let handle = any!(it.ctx, ctx => ctx.invocation_handle(step.text("id").to_owned()));
    let signal = handle.signal(step.text("name"));
    if step.text("op") == "resolve_signal" {
        signal.resolve(Json(step.value("v")));
    } else {
        signal.reject(terminal(step, "message"));
    }
    NOTHING
}

async fn wait(it: &mut Interpreter<'_>, step: &Step) -> Done {
    let name = step.reference("of").unwrap_or_default();
    Ok(it.take_future(name).await?)
}

/// Wait for the first of the named futures; the answer is its name. All of them are used up.
async fn race(it: &mut Interpreter<'_>, step: &Step) -> Done {
    let names = step.texts("of");
    let mut futures: DurableFuturesUnordered<_> =
        names.iter().map(|name| it.take_future(name)).collect();
    match futures.next().await? {
        Some((index, _)) => Ok(names[index].clone().into()),
        None => NOTHING,
    }
}

/// Wait until every named future has its value, or the first of them has failed.
async fn all(it: &mut Interpreter<'_>, step: &Step) -> Done {
    let names = step.texts("of");
    let mut futures: DurableFuturesUnordered<_> =
        names.iter().map(|name| it.take_future(name)).collect();
    let mut values = vec![Value::Null; names.len()];
    while let Some((index, outcome)) = futures.next().await? {
        values[index] = outcome?;
    }
    Ok(values.into())
}

// Promises of a workflow

macro_rules! promises {
    ($ctx:expr, $inner:ident => $does:expr) => {
        match $ctx {
            Ctx::Workflow($inner) => $does,
            Ctx::SharedWorkflow($inner) => $does,
            _ => return Err(unavailable("a promise")),
        }
    };
}

async fn read_promise(it: &mut Interpreter<'_>, step: &Step) -> Done {
    let name = step.text("name");
    let value = if step.text("op") == "promise_get" {
        promises!(it.ctx, ctx => ctx.promise::<Payload>(name).await?)
    } else {
        promises!(it.ctx, ctx => ctx.peek_promise::<Json<Value>>(name).await?)
    };
    Ok(plain(value))
}

/// This SDK does not tell whether the promise was completed before.
fn complete_promise(it: &Interpreter<'_>, step: &Step) -> Done {
    let name = step.text("name");
    if step.text("op") == "promise_resolve" {
        promises!(it.ctx, ctx => ctx.resolve_promise(name, Json(step.value("v"))));
    } else {
        promises!(it.ctx, ctx => ctx.reject_promise(name, terminal(step, "message")));
    }
    NOTHING
}

// Steps, failures, and the world outside

/// The error that `field` is the message of. Errors of this SDK carry no metadata.
fn terminal(step: &Step, field: &str) -> TerminalError {
    let code = step.number("code").unwrap_or(500) as u16;
    TerminalError::new_with_code(code, step.text(field))
}

async fn acted(step: &Step) -> HandlerResult<Json<Value>> {
    let attempt = outside::effect(step.text("tag"), "")?;
    if let Some(gate) = step.optional_text("gate") {
        outside::gate(gate).await;
    }
    if step.has("terminal") {
        return Err(terminal(step, "terminal").into());
    }
    if attempt <= step.number("failures").unwrap_or(0) {
        return Err(format!("{} failed", step.text("name")).into());
    }
    Ok(Json(step.value("v")))
}

async fn run(it: &mut Interpreter<'_>, step: &Step) -> Done {
    let name = step.text("name");
    let policy = run_policy(step);
    let outcome: Result<Json<Value>, TerminalError> = any!(it.ctx, ctx => {
        let one = ctx.run(|| acted(step)).name(name);
        match policy {
            Some(policy) => one.retry_policy(policy).await,
            None => one.await,
        }
    });
    Ok(outcome?.into_inner())
}

fn run_policy(step: &Step) -> Option<RunRetryPolicy> {
    let (attempts, delay) = (step.number("max_attempts"), step.duration("retry_ms"));
    if attempts.is_none() && delay.is_none() {
        return None;
    }
    let mut policy = RunRetryPolicy::new();
    if let Some(attempts) = attempts {
        policy = policy.max_attempts(attempts as u32);
    }
    if let Some(delay) = delay {
        policy = policy.initial_delay(delay);
    }
    Some(policy)
}

/// Fail this attempt, `times` times in all (for ever when it is missing). An error of this SDK
/// carries no delay; only a step's own retry policy can ask for one.
async fn throw(it: &mut Interpreter<'_>, step: &Step) -> Done {
    let Some(delay) = step.duration("retry_after_ms") else {
        return flung(step);
    };
    let fling = async || flung(step).map(Json).map_err(HandlerError::from);
    let policy = RunRetryPolicy::new().initial_delay(delay);
    any!(it.ctx, ctx => ctx.run(fling).name("throw").retry_policy(policy).await)?;
    NOTHING
}

fn flung(step: &Step) -> Done {
    let attempt = outside::effect(step.text("tag"), "")?;
    if attempt > step.number("times").unwrap_or(attempt) {
        return NOTHING;
    }
    Err(Failure::Retryable(step.text("message").to_owned()))
}

async fn attempt(it: &mut Interpreter<'_>, step: &Step) -> Done {
    // Boxed, since a program may hold programs.
    match Box::pin(it.run(step.program("do"))).await {
        Ok(results) => Ok(results.into()),
        Err(Failure::Terminal(error)) => {
            let mut results = vec![json!({"caught": error.message(), "code": error.code()})];
            results.extend(Box::pin(it.run(step.program("catch"))).await?);
            Ok(results.into())
        }
        Err(failure) => Err(failure),
    }
}

fn headers(it: &Interpreter<'_>, step: &Step) -> Done {
    let given = any!(it.ctx, ctx => ctx.headers());
    let found = step.texts("names").into_iter();
    let found = found.filter_map(|name| given.get(&name).map(|value| (name, value.clone().into())));
    Ok(Value::Object(found.collect()))
}
