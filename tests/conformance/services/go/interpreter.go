// A handler that runs a small program: the same language as `interpreter.py`, on the official Go
// SDK.
package main

import (
	"fmt"
	"time"

	restate "github.com/restatedev/sdk-go"
)

// Step is one operation and its arguments.
type Step map[string]any

// promised is a future kept under a name, with the way to read its value.
type promised struct {
	future restate.Future
	value  func() (any, error)
}

// Interpreter runs programs against one context; names live as long as the invocation.
type Interpreter struct {
	ctx   restate.Context
	names map[string]any
}

type operation func(it *Interpreter, step Step) (any, error)

// execute runs one program and returns the result of each of its steps.
func execute(ctx restate.Context, program []Step) ([]any, error) {
	return (&Interpreter{ctx, map[string]any{}}).run(program)
}

func (it *Interpreter) run(program []Step) ([]any, error) {
	results := make([]any, 0, len(program))
	for _, step := range program {
		result, err := it.step(step)
		if err != nil {
			return nil, err
		}
		results = append(results, result)
	}
	return results, nil
}

func (it *Interpreter) step(step Step) (any, error) {
	named, known := operations[step.text("op")]
	if !known {
		return nil, restate.TerminalErrorf("no such operation: %v", step["op"])
	}
	arguments := Step{}
	for name, value := range step {
		arguments[name] = it.read(value)
	}
	result, err := named(it, arguments)
	if name := step.text("as"); err == nil && name != "" {
		if _, taken := it.names[name]; !taken {
			it.names[name] = result
		}
	}
	return result, err
}

// read replaces {"$": name} by what is kept under the name.
func (it *Interpreter) read(value any) any {
	if reference, ok := value.(map[string]any); ok && len(reference) == 1 {
		if name, ok := reference["$"].(string); ok {
			return it.names[name]
		}
	}
	return value
}

// keep holds a future under the name that the step gives it.
func (it *Interpreter) keep(step Step, future restate.Future, value func() (any, error)) {
	it.names[step.text("as")] = promised{future, value}
}

func (it *Interpreter) promised(name string) promised { return it.names[name].(promised) }

// The SDK gives every handler the same context behind the interface of its kind, and the server
// refuses what a handler may not do; scenarios look at exactly that.

func (it *Interpreter) state() restate.ObjectContext { return it.ctx.(restate.ObjectContext) }

func (it *Interpreter) workflow() restate.WorkflowContext {
	return it.ctx.(restate.WorkflowContext)
}

// text is the argument of this name, or "" when it is missing.
func (s Step) text(name string) string {
	if value, given := s[name]; given {
		return fmt.Sprint(value)
	}
	return ""
}

func (s Step) number(name string, otherwise int) int {
	if value, given := s[name].(float64); given {
		return int(value)
	}
	return otherwise
}

func (s Step) duration(name string) time.Duration {
	return time.Duration(s.number(name, 0)) * time.Millisecond
}

func (s Step) program(name string) []Step {
	listed, _ := s[name].([]any)
	program := make([]Step, len(listed))
	for index, each := range listed {
		program[index] = each.(map[string]any)
	}
	return program
}

func (s Step) strings(name string) []string {
	listed := s[name].([]any)
	texts := make([]string, len(listed))
	for index, each := range listed {
		texts[index] = each.(string)
	}
	return texts
}

func (s Step) stringMap(name string) map[string]string {
	pairs := map[string]string{}
	given, _ := s[name].(map[string]any)
	for key, value := range given {
		pairs[key] = value.(string)
	}
	return pairs
}
