// One function per operation of the language.
package main

import (
	"errors"
	"fmt"
	"slices"

	restate "github.com/restatedev/sdk-go"
)

var lenient = restate.WithCodec(optional{})

// State

func set(it *Interpreter, step Step) (any, error) {
	restate.Set(it.state(), step.text("k"), step["v"])
	return nil, nil
}

func get(it *Interpreter, step Step) (any, error) {
	return plain(restate.Get[any](it.state(), step.text("k"), lenient))
}

func keys(it *Interpreter, _ Step) (any, error) {
	names, err := restate.Keys(it.state())
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	return slices.Concat([]string{}, names), nil
}

func clearOne(it *Interpreter, step Step) (any, error) {
	restate.Clear(it.state(), step.text("k"))
	return nil, nil
}

func clearAll(it *Interpreter, _ Step) (any, error) {
	restate.ClearAll(it.state())
	return nil, nil
}

// Calls

// argument is what a call sends: the value given, or no bytes at all.
func argument(step Step) any {
	if value, given := step["arg"]; given {
		return value
	}
	return restate.Void{}
}

func startedCall(it *Interpreter, step Step) restate.ResponseFuture[any] {
	client := restate.Service[any](it.ctx, step.text("svc"), step.text("handler"), lenient)
	if key, keyed := step["key"].(string); keyed {
		client = restate.Object[any](it.ctx, step.text("svc"), key, step.text("handler"), lenient)
	}
	return client.RequestFuture(
		argument(step),
		restate.WithIdempotencyKey(step.text("idem")),
		restate.WithHeaders(step.stringMap("headers")),
	)
}

func call(it *Interpreter, step Step) (any, error) {
	return plain(startedCall(it, step).Response())
}

// startCall begins a call without waiting for its result; the answer is the callee's id.
func startCall(it *Interpreter, step Step) (any, error) {
	future := startedCall(it, step)
	callee := future.GetInvocationId()
	it.keep(step, future, func() (any, error) { return plain(future.Response()) })
	it.names[step.text("as")+".id"] = callee
	return callee, nil
}

func send(it *Interpreter, step Step) (any, error) {
	client := restate.ServiceSend(it.ctx, step.text("svc"), step.text("handler"), lenient)
	if key, keyed := step["key"].(string); keyed {
		client = restate.ObjectSend(it.ctx, step.text("svc"), key, step.text("handler"), lenient)
	}
	return client.Send(
		argument(step),
		restate.WithDelay(step.duration("delay_ms")),
		restate.WithIdempotencyKey(step.text("idem")),
		restate.WithHeaders(step.stringMap("headers")),
	).GetInvocationId(), nil
}

func cancel(it *Interpreter, step Step) (any, error) {
	restate.CancelInvocation(it.ctx, step.text("id"))
	return nil, nil
}

func attach(it *Interpreter, step Step) (any, error) {
	return plain(restate.AttachInvocation[any](it.ctx, step.text("id"), lenient).Response())
}

// Waiting

func sleep(it *Interpreter, step Step) (any, error) {
	err := restate.Sleep(it.ctx, step.duration("ms"), restate.WithName(step.text("name")))
	return plain(nil, err)
}

func startSleep(it *Interpreter, step Step) (any, error) {
	future := restate.After(it.ctx, step.duration("ms"))
	it.keep(step, future, func() (any, error) { return plain(nil, future.Done()) })
	return nil, nil
}

// awakeable makes one and publishes its id to the outside under `tag`.
func awakeable(it *Interpreter, step Step) (any, error) {
	future := restate.Awakeable[any](it.ctx, lenient)
	it.keep(step, future, func() (any, error) { return plain(future.Result()) })
	it.names[step.text("as")+".id"] = future.Id()
	if tag := step.text("tag"); tag != "" {
		_, err := effect(tag, future.Id())
		return nil, err
	}
	return nil, nil
}

func resolveAwakeable(it *Interpreter, step Step) (any, error) {
	restate.ResolveAwakeable(it.ctx, step.text("id"), step["v"])
	return nil, nil
}

func rejectAwakeable(it *Interpreter, step Step) (any, error) {
	restate.RejectAwakeable(it.ctx, step.text("id"), errors.New(step.text("message")))
	return nil, nil
}

func signal(it *Interpreter, step Step) (any, error) {
	future := restate.Signal[any](it.ctx, step.text("name"), lenient)
	it.keep(step, future, func() (any, error) { return plain(future.Result()) })
	return nil, nil
}

func resolveSignal(it *Interpreter, step Step) (any, error) {
	restate.ResolveSignal(it.ctx, step.text("id"), step.text("name"), step["v"])
	return nil, nil
}

func rejectSignal(it *Interpreter, step Step) (any, error) {
	reason := errors.New(step.text("message"))
	restate.RejectSignal(it.ctx, step.text("id"), step.text("name"), reason)
	return nil, nil
}

func await(_ *Interpreter, step Step) (any, error) { return step["of"].(promised).value() }

// race waits for the first of the named futures; the answer is its name.
func race(it *Interpreter, step Step) (any, error) {
	names := step.strings("of")
	futures := make([]restate.Future, len(names))
	for index, name := range names {
		futures[index] = it.promised(name).future
	}
	first, err := restate.WaitFirst(it.ctx, futures...)
	if err != nil {
		return nil, err
	}
	return names[slices.Index(futures, first)], nil
}

// all waits until every named future has its value, or the first of them has failed.
func all(it *Interpreter, step Step) (any, error) {
	names := step.strings("of")
	waiting := map[restate.Future]promised{}
	futures := make([]restate.Future, len(names))
	for index, name := range names {
		futures[index] = it.promised(name).future
		waiting[futures[index]] = it.promised(name)
	}
	values := make([]any, len(names))
	for done, err := range restate.Wait(it.ctx, futures...) {
		if err != nil {
			return nil, err
		}
		value, failed := waiting[done].value()
		if failed != nil {
			return nil, failed
		}
		values[slices.Index(futures, done)] = value
	}
	return values, nil
}

// Promises of a workflow

func promise(it *Interpreter, step Step) restate.DurablePromise[any] {
	return restate.Promise[any](it.workflow(), step.text("name"), lenient)
}

func promiseGet(it *Interpreter, step Step) (any, error) {
	return plain(promise(it, step).Result())
}

func promisePeek(it *Interpreter, step Step) (any, error) {
	return plain(promise(it, step).Peek())
}

func promiseResolve(it *Interpreter, step Step) (any, error) {
	return plain(nil, promise(it, step).Resolve(step["v"]))
}

func promiseReject(it *Interpreter, step Step) (any, error) {
	return plain(nil, promise(it, step).Reject(errors.New(step.text("message"))))
}

// Steps, failures, and the world outside

func run(it *Interpreter, step Step) (any, error) {
	options := []restate.RunOption{restate.WithName(step.text("name"))}
	if limit, given := step["max_attempts"].(float64); given {
		options = append(options, restate.WithMaxRetryAttempts(uint(limit)))
	}
	if _, given := step["retry_ms"]; given {
		options = append(options, restate.WithInitialRetryInterval(step.duration("retry_ms")))
	}
	return plain(restate.Run(it.ctx, func(restate.RunContext) (any, error) {
		attempt, err := effect(step.text("tag"), "")
		if err != nil {
			return nil, err
		}
		if name := step.text("gate"); name != "" {
			gate(name)
		}
		if message := step.text("terminal"); message != "" {
			return nil, terminal(message, step)
		}
		if attempt <= step.number("failures", 0) {
			return nil, fmt.Errorf("%s failed", step["name"])
		}
		return step["v"], nil
	}, options...))
}

func terminal(message string, step Step, options ...restate.TerminalErrorOption) error {
	code := restate.WithErrorCode(restate.Code(step.number("code", 500)))
	return restate.ToTerminalError(errors.New(message), append(options, code)...)
}

func fail(_ *Interpreter, step Step) (any, error) {
	metadata := restate.WithMetadataMap(step.stringMap("metadata"))
	return nil, terminal(step.text("message"), step, metadata)
}

// throw fails this attempt, `times` times in all (for ever when it is missing). An error of this
// SDK carries no delay; only a step's own retry policy can ask for one.
func throw(it *Interpreter, step Step) (any, error) {
	if _, given := step["retry_after_ms"]; !given {
		return nil, flung(step)
	}
	delay := step.duration("retry_after_ms")
	return plain(nil, restate.RunVoid(it.ctx, func(restate.RunContext) error { return flung(step) },
		restate.WithName("throw"),
		restate.WithInitialRetryInterval(delay),
		restate.WithMaxRetryInterval(delay),
	))
}

func flung(step Step) error {
	attempt, err := effect(step.text("tag"), "")
	if err != nil || attempt > step.number("times", attempt) {
		return err
	}
	return errors.New(step.text("message"))
}

func try(it *Interpreter, step Step) (any, error) {
	results, err := it.run(step.program("do"))
	failure := restate.AsTerminalError(err)
	if failure == nil {
		return results, err
	}
	caught := map[string]any{"caught": failure.Message(), "code": failure.Code()}
	if metadata := failure.Metadata().ToMap(); len(metadata) > 0 {
		caught["metadata"] = metadata
	}
	results, err = it.run(step.program("catch"))
	return append([]any{caught}, results...), err
}

func leaveEffect(_ *Interpreter, step Step) (any, error) {
	_, err := effect(step.text("tag"), step.text("text"))
	return nil, err
}

func waitForGate(_ *Interpreter, step Step) (any, error) {
	gate(step.text("name"))
	return nil, nil
}

func value(_ *Interpreter, step Step) (any, error) { return step["v"], nil }

func me(it *Interpreter, _ Step) (any, error) { return it.ctx.Request().ID, nil }

func headers(it *Interpreter, step Step) (any, error) {
	given := it.ctx.Request().Headers.ToMap()
	found := map[string]string{}
	for _, name := range step.strings("names") {
		if value, present := given[name]; present {
			found[name] = value
		}
	}
	return found, nil
}

// plain hands a terminal error on as an ordinary one.
func plain(value any, err restate.TerminalError) (any, error) {
	if err != nil {
		return nil, err
	}
	return value, nil
}

var operations map[string]operation

// Not in the declaration: `try` runs programs, which would make it refer to itself.
func init() {
	operations = map[string]operation{
		"set":               set,
		"get":               get,
		"keys":              keys,
		"clear":             clearOne,
		"clear_all":         clearAll,
		"call":              call,
		"start_call":        startCall,
		"await_call":        await,
		"send":              send,
		"cancel":            cancel,
		"attach":            attach,
		"sleep":             sleep,
		"start_sleep":       startSleep,
		"awakeable":         awakeable,
		"resolve_awakeable": resolveAwakeable,
		"reject_awakeable":  rejectAwakeable,
		"signal":            signal,
		"resolve_signal":    resolveSignal,
		"reject_signal":     rejectSignal,
		"await":             await,
		"race":              race,
		"all":               all,
		"promise_get":       promiseGet,
		"promise_peek":      promisePeek,
		"promise_resolve":   promiseResolve,
		"promise_reject":    promiseReject,
		"run":               run,
		"fail":              fail,
		"throw":             throw,
		"try":               try,
		"effect":            leaveEffect,
		"gate":              waitForGate,
		"value":             value,
		"me":                me,
		"headers":           headers,
	}
}
