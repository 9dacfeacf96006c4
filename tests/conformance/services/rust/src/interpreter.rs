//! A handler that runs a small program: the same language as `interpreter.py`, on the official Rust
//! SDK.

use std::collections::HashMap;
use std::pin::Pin;

use restate_sdk::context::DurableFuture;
use restate_sdk::prelude::*;
use serde_json::{Map, Value};

use crate::operations;
use crate::step::{Program, Step, referred};

/// The context of every kind of handler. What a kind may not do, its type does not offer.
pub enum Ctx<'ctx> {
    Service(Context<'ctx>),
    Object(ObjectContext<'ctx>),
    SharedObject(SharedObjectContext<'ctx>),
    Workflow(WorkflowContext<'ctx>),
    SharedWorkflow(SharedWorkflowContext<'ctx>),
}

/// What every context can do: `any!(ctx, inner => inner.sleep(duration))`.
macro_rules! any {
    ($ctx:expr, $inner:ident => $does:expr) => {
        match $ctx {
            Ctx::Service($inner) => $does,
            Ctx::Object($inner) => $does,
            Ctx::SharedObject($inner) => $does,
            Ctx::Workflow($inner) => $does,
            Ctx::SharedWorkflow($inner) => $does,
        }
    };
}
pub(crate) use any;

/// A durable future kept under a name.
pub type Promised<'ctx> = Pin<Box<dyn DurableFuture<Output = Outcome> + Send + 'ctx>>;
pub type Outcome = Result<Value, TerminalError>;

/// Why a step ended the program. `HandlerError` does not tell the two apart once it is made.
pub enum Failure {
    Terminal(TerminalError),
    Retryable(String),
}

impl From<TerminalError> for Failure {
    fn from(error: TerminalError) -> Self {
        Self::Terminal(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Retryable(error.to_string())
    }
}

impl From<Failure> for HandlerError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Terminal(error) => error.into(),
            Failure::Retryable(message) => message.into(),
        }
    }
}

/// Runs programs against one context; names live as long as the invocation.
pub struct Interpreter<'ctx> {
    pub ctx: &'ctx Ctx<'ctx>,
    values: HashMap<String, Value>,
    futures: HashMap<String, Promised<'ctx>>,
}

/// Run one program; the answer is the result of each of its steps.
pub async fn execute(ctx: Ctx<'_>, program: Json<Program>) -> HandlerResult<Json<Vec<Value>>> {
    let mut interpreter = Interpreter {
        ctx: &ctx,
        values: HashMap::new(),
        futures: HashMap::new(),
    };
    Ok(Json(interpreter.run(program.into_inner()).await?))
}

impl<'ctx> Interpreter<'ctx> {
    pub async fn run(&mut self, program: Program) -> Result<Vec<Value>, Failure> {
        let mut results = Vec::with_capacity(program.len());
        for step in program {
            results.push(self.step(step).await?);
        }
        Ok(results)
    }

    async fn step(&mut self, step: Map<String, Value>) -> Result<Value, Failure> {
        let read = step
            .into_iter()
            .map(|(name, value)| (name, self.read(value)));
        let step = Step(read.collect());
        let result = operations::perform(self, &step).await?;
        if let Some(name) = step.optional_text("as") {
            if !self.futures.contains_key(name) && !self.values.contains_key(name) {
                self.keep_value(name, result.clone());
            }
        }
        Ok(result)
    }

    /// The value a reference leads to. References to futures stay: they are awaited by name.
    fn read(&self, value: Value) -> Value {
        let kept = referred(&value).and_then(|name| self.values.get(name));
        kept.cloned().unwrap_or(value)
    }

    pub fn keep_value(&mut self, name: &str, value: Value) {
        self.values.insert(name.to_owned(), value);
    }

    pub fn keep_future<F>(&mut self, name: &str, future: F)
    where
        F: DurableFuture<Output = Outcome> + Send + 'ctx,
    {
        self.futures.insert(name.to_owned(), Box::pin(future));
    }

    /// The future of this name; awaiting uses it up.
    pub fn take_future(&mut self, name: &str) -> Promised<'ctx> {
        let future = self.futures.remove(name);
        future.unwrap_or_else(|| panic!("no future is called {name}"))
    }
}
