// The services of the scenarios, with the names and options of `everything.py`.
package main

import (
	"encoding/json"
	"slices"
	"time"

	restate "github.com/restatedev/sdk-go"
)

const (
	soon  = 100 * time.Millisecond
	brief = 3 * time.Second
)

func policy(
	attempts uint, then restate.InvocationRetryPolicyOption,
) restate.ServiceDefinitionOption {
	return restate.WithInvocationRetryPolicy(
		restate.WithInitialRetryInterval(20*time.Millisecond),
		restate.WithMaxRetryAttempts(attempts),
		then,
	)
}

func inService(ctx restate.Context, program []Step) ([]any, error) {
	return execute(ctx, program)
}

func inObject(ctx restate.ObjectContext, program []Step) ([]any, error) {
	return execute(ctx, program)
}

func inSharedObject(ctx restate.ObjectSharedContext, program []Step) ([]any, error) {
	return execute(ctx, program)
}

func inWorkflow(ctx restate.WorkflowContext, program []Step) ([]any, error) {
	return execute(ctx, program)
}

func inSharedWorkflow(ctx restate.WorkflowSharedContext, program []Step) ([]any, error) {
	return execute(ctx, program)
}

func echo(_ restate.Context, value any) (any, error) { return value, nil }

func noop(_ restate.Context, _ restate.Void) (restate.Void, error) { return restate.Void{}, nil }

func raw(_ restate.Context, body []byte) ([]byte, error) {
	slices.Reverse(body)
	return body, nil
}

// count adds one and returns the sum.
func count(ctx restate.ObjectContext, _ restate.Void) (int, error) {
	total, err := restate.Get[int](ctx, "count")
	if err != nil {
		return 0, err
	}
	restate.Set(ctx, "count", total+1)
	return total + 1, nil
}

// anything takes bytes of every content type; the SDK's own binary codec takes only its own.
type anything struct{}

func (anything) ContentType() string           { return "*/*" }
func (anything) JsonSchema(any) any            { return nil }
func (anything) InputRequired() bool           { return false }
func (anything) Marshal(v any) ([]byte, error) { return v.([]byte), nil }
func (anything) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = data
	return nil
}

// optional is JSON in which no bytes at all stand for null.
type optional struct{}

func (optional) Marshal(v any) ([]byte, error) { return json.Marshal(v) }
func (optional) Unmarshal(data []byte, v any) error {
	if len(data) == 0 {
		return nil
	}
	return json.Unmarshal(data, v)
}

func service(name string, options ...restate.ServiceDefinitionOption) restate.ServiceDefinition {
	return restate.NewService(name, options...).Handler("run", restate.NewServiceHandler(inService))
}

func object(name string, options ...restate.ServiceDefinitionOption) restate.ServiceDefinition {
	return restate.NewObject(name, options...).Handler("run", restate.NewObjectHandler(inObject))
}

func workflow(name string, options ...restate.ServiceDefinitionOption) restate.ServiceDefinition {
	return restate.NewWorkflow(name, options...).
		Handler("run", restate.NewWorkflowHandler(inWorkflow)).
		Handler("touch", restate.NewWorkflowSharedHandler(inSharedWorkflow))
}

func everything() []restate.ServiceDefinition {
	private := restate.WithIngressPrivate(true)
	return []restate.ServiceDefinition{
		restate.NewService("Svc", restate.WithMetadata("team", "conformance")).
			Handler("run", restate.NewServiceHandler(inService)).
			Handler("echo", restate.NewServiceHandler(echo)).
			Handler("noop", restate.NewServiceHandler(noop)).
			Handler("raw", restate.NewServiceHandler(
				raw, restate.WithBinary, restate.WithInputCodec(anything{}),
			)).
			Handler("hidden", restate.NewServiceHandler(inService, private)),
		restate.NewObject("Obj").
			Handler("run", restate.NewObjectHandler(inObject)).
			Handler("look", restate.NewObjectSharedHandler(inSharedObject)).
			Handler("count", restate.NewObjectHandler(count)),
		service("Quick", restate.WithInactivityTimeout(soon)),
		service("Private", private),
		service("Kill3", policy(3, restate.KillOnMaxAttempts())),
		object("Pause2", policy(2, restate.PauseOnMaxAttempts())),
		service("Brief", restate.WithIdempotencyRetention(brief), restate.WithJournalRetention(brief)),
		service("Forget", restate.WithJournalRetention(0)),
		object("QuickObj", restate.WithInactivityTimeout(soon)),
		object("Lazy", restate.WithEnableLazyState(true)),
		workflow("Flow", restate.WithInactivityTimeout(soon)),
		workflow("BriefFlow", restate.WithWorkflowRetention(brief)),
	}
}
