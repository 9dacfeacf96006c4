// A handler that runs a small program: the same language as `interpreter.py`, on the official
// TypeScript SDK. Node runs this file as it is, hence only types that can be stripped.
import * as restate from "@restatedev/restate-sdk";
import { effect, gate } from "./outside.ts";

type Step = Record<string, any>;
type Operation = (it: Interpreter, step: Step) => Promise<unknown> | unknown;

const JSON_TYPE = new TextEncoder();

class Interpreter {
  ctx: any;
  // Futures are kept in a box: returning a bare promise from an async function would await it.
  names = new Map<string, { value: any }>();

  constructor(ctx: any) {
    this.ctx = ctx;
  }

  async run(program: Step[]): Promise<unknown[]> {
    const results: unknown[] = [];
    for (const step of program) results.push((await this.step(step)) ?? null);
    return results;
  }

  private async step(step: Step): Promise<unknown> {
    const entries = Object.entries(step).filter(([key]) => key !== "op");
    const argument = Object.fromEntries(entries.map(([key, value]) => [key, this.read(value)]));
    const result = await OPERATIONS[step.op](this, argument);
    if (step.as !== undefined && !this.names.has(step.as)) this.keep(step.as, result);
    return result;
  }

  keep(name: string, value: unknown): void {
    this.names.set(name, { value });
  }

  private read(value: any): any {
    const isName = value !== null && typeof value === "object" && Object.keys(value).join() === "$";
    return isName ? this.names.get(value.$)!.value : value;
  }
}

function bytes(step: Step): Uint8Array {
  return "arg" in step ? JSON_TYPE.encode(JSON.stringify(step.arg)) : new Uint8Array();
}

function parsed(raw: Uint8Array): unknown {
  return raw.length === 0 ? null : JSON.parse(new TextDecoder().decode(raw));
}

function request(step: Step) {
  return {
    service: step.svc,
    method: step.handler,
    parameter: bytes(step),
    ...(step.key !== undefined && { key: step.key }),
    ...(step.idem !== undefined && { idempotencyKey: step.idem }),
    ...(step.headers !== undefined && { headers: step.headers }),
  };
}

async function startCall(it: Interpreter, step: Step): Promise<string> {
  const future = it.ctx.genericCall(request(step));
  it.keep(step.as, future);
  const callee = await future.invocationId;
  it.keep(step.as + ".id", callee);
  return callee;
}

async function send(it: Interpreter, step: Step): Promise<string> {
  const delay = step.delay_ms === undefined ? {} : { delay: step.delay_ms };
  return await it.ctx.genericSend({ ...request(step), ...delay }).invocationId;
}

function awakeable(it: Interpreter, step: Step): void {
  const { id, promise } = it.ctx.awakeable();
  it.keep(step.as, promise);
  it.keep(step.as + ".id", id);
  if (step.tag !== undefined) effect(step.tag, id);
}

async function race(it: Interpreter, step: Step): Promise<string> {
  const named = step.of.map((name: string) => it.names.get(name)!.value.map(() => name));
  return (await restate.RestatePromise.race(named)) as string;
}

async function all(it: Interpreter, step: Step): Promise<unknown[]> {
  const futures = step.of.map((name: string) => it.names.get(name)!.value);
  const values = (await restate.RestatePromise.all(futures)) as unknown[];
  return values.map((value) => value ?? null);
}

function run(it: Interpreter, step: Step): Promise<unknown> {
  const action = async () => {
    const attempt = effect(step.tag);
    if (step.gate !== undefined) await gate(step.gate);
    if (step.terminal !== undefined) {
      throw new restate.TerminalError(step.terminal, { errorCode: step.code ?? 500 });
    }
    if (attempt <= (step.failures ?? 0)) throw new Error(`${step.name} failed`);
    return step.v ?? null;
  };
  return it.ctx.run(step.name, action, {
    ...(step.max_attempts !== undefined && { maxRetryAttempts: step.max_attempts }),
    ...(step.retry_ms !== undefined && { initialRetryInterval: step.retry_ms }),
  });
}

function fail(_it: Interpreter, step: Step): never {
  throw new restate.TerminalError(step.message, {
    errorCode: step.code ?? 500,
    ...(step.metadata && { metadata: step.metadata }),
  });
}

function fling(_it: Interpreter, step: Step): void {
  const attempt = effect(step.tag);
  if (attempt > (step.times ?? attempt)) return;
  if (step.retry_after_ms !== undefined) {
    throw new restate.RetryableError(step.message, { retryAfter: step.retry_after_ms });
  }
  throw new Error(step.message);
}

async function attempt(it: Interpreter, step: Step): Promise<unknown> {
  try {
    return await it.run(step.do);
  } catch (error) {
    if (!(error instanceof restate.TerminalError)) throw error;
    const metadata = error.metadata && Object.keys(error.metadata).length > 0;
    const caught = {
      caught: error.message,
      code: error.code,
      ...(metadata && { metadata: error.metadata }),
    };
    return [caught, ...(await it.run(step.catch ?? []))];
  }
}

function headers(it: Interpreter, step: Step): Record<string, string> {
  const given: ReadonlyMap<string, string> = it.ctx.request().headers;
  const present = step.names.filter((name: string) => given.has(name));
  return Object.fromEntries(present.map((name: string) => [name, given.get(name)]));
}

const OPERATIONS: Record<string, Operation> = {
  set: (it, step) => it.ctx.set(step.k, step.v),
  get: (it, step) => it.ctx.get(step.k),
  keys: async (it) => (await it.ctx.stateKeys()).sort(),
  clear: (it, step) => it.ctx.clear(step.k),
  clear_all: (it) => it.ctx.clearAll(),
  call: async (it, step) => parsed(await it.ctx.genericCall(request(step))),
  start_call: startCall,
  await_call: async (_it, step) => parsed(await step.of),
  send,
  cancel: (it, step) => it.ctx.cancel(step.id),
  attach: (it, step) => it.ctx.attach(step.id),
  sleep: (it, step) => it.ctx.sleep(step.ms, step.name),
  start_sleep: (it, step) => it.keep(step.as, it.ctx.sleep(step.ms)),
  awakeable,
  resolve_awakeable: (it, step) => it.ctx.resolveAwakeable(step.id, step.v ?? null),
  reject_awakeable: (it, step) => it.ctx.rejectAwakeable(step.id, step.message),
  signal: (it, step) => it.keep(step.as, it.ctx.signal(step.name)),
  resolve_signal: (it, step) =>
    it.ctx.invocation(step.id).signal(step.name).resolve(step.v ?? null),
  reject_signal: (it, step) => it.ctx.invocation(step.id).signal(step.name).reject(step.message),
  await: (_it, step) => step.of,
  race,
  all,
  promise_get: (it, step) => it.ctx.promise(step.name).get(),
  promise_peek: (it, step) => it.ctx.promise(step.name).peek(),
  promise_resolve: (it, step) => it.ctx.promise(step.name).resolve(step.v),
  promise_reject: (it, step) => it.ctx.promise(step.name).reject(step.message),
  run,
  fail,
  throw: fling,
  try: attempt,
  effect: (_it, step) => void effect(step.tag, String(step.text ?? "")),
  gate: (_it, step) => gate(step.name),
  value: (_it, step) => step.v,
  me: (it) => it.ctx.request().id,
  headers,
};

/** Run one program and return the result of each of its steps. */
export async function execute(ctx: any, program: Step[]): Promise<unknown[]> {
  return await new Interpreter(ctx).run(program);
}
