package e2e

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"signalbox/cmd/dev/e2e/harness"
	"signalbox/ticket"
	"signalbox/workflows"
)

// shown is one example of docs/temporal.md.
type shown struct{ kind, name, text string }

func shownByTemporalPage(t *testing.T) (all []shown) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "temporal.md"))
	require.NoError(t, err)
	for _, m := range regexp.MustCompile("(?ms)^```(?:json|sql) (signal|update|query|list)(?:=(\\S+))?\n(.*?)\n```$").FindAllStringSubmatch(string(page), -1) {
		all = append(all, shown{m[1], m[2], m[3]})
	}
	return all
}

// decided is a service in which boss alone decides.
const decided = `{"key":"second-door","name":"Second door","nodes":[
	{"id":"decide","name":"Decide","type":"approval","processors":{"persons":["boss"]},"next":"over"},{"id":"over","name":"Over","type":"end"}]}`

// TestTheSecondDoor sends what docs/temporal.md shows, as it stands, and sees it done: in Temporal, and at once in the database.
func TestTheSecondDoor(t *testing.T) {
	t.Parallel()
	d := sharedDev(t)
	c := d.caller()
	temporal := dialTemporal(t, d.temporal, "default")
	c.must(t, "POST", "/api/service", []byte(decided))
	open := func(service string) string {
		body := map[string]any{"origin": "second door", "title": "a case", "opener": "zhang.san"}
		if service != "" {
			body["service"] = service
		}
		return result[string](t, c.must(t, "POST", "/api/issue", body))
	}
	became := func(number, phase string) {
		t.Helper()
		harness.Until(t, number+" is "+phase, 2*time.Minute, func() error { // a signal is heard when the ticket's first minute is over
			if got := c.issue(t, number).Phase; got != phase {
				return fmt.Errorf("%s", got)
			}
			return nil
		})
	}

	examples := shownByTemporalPage(t)
	signalled, updated, waiting := open(""), open(""), open("")
	voted := map[string]string{"approve": open("second-door"), "reject": open("second-door")}
	after := map[string]string{"accept": "acknowledged", "commit-solution": "resolved", "confirm": "completed", "approve": "completed", "reject": "completed",
		"suspend": "suspended", "unsuspend": "acknowledged"}
	seen := map[string]int{}
	for i, e := range examples {
		seen[e.kind]++
		switch e.kind {
		case "signal":
			number := cmp.Or(voted[e.name], signalled)
			require.Contains(t, ticket.SignalActions, ticket.Action(e.name))
			require.NoError(t, temporal.SignalWorkflow(t.Context(), workflows.TicketID(number, 0), "", e.name, json.RawMessage(e.text)))
			became(number, after[e.name])
		case "update":
			var q workflows.HandleRequest
			require.NoError(t, json.Unmarshal([]byte(e.text), &q))
			options := client.UpdateWorkflowOptions{WorkflowID: workflows.TicketID(updated, 0), UpdateID: fmt.Sprintf("shown-%d", i), UpdateName: e.name,
				Args: []any{json.RawMessage(e.text)}, WaitForStage: client.WorkflowUpdateStageCompleted}
			for range 2 { // the same ID does nothing twice
				handle, err := temporal.UpdateWorkflow(t.Context(), options)
				require.NoError(t, err)
				var out workflows.HandleResult
				require.NoError(t, handle.Get(t.Context(), &out))
				require.Len(t, out.Events, 1)
				require.Equal(t, options.UpdateID, out.Events[0].Operation)
			}
			became(updated, after[cmp.Or(string(q.Command.Action), e.name)])
		case "query":
			value, err := temporal.QueryWorkflow(t.Context(), workflows.TicketID(updated, 0), "", e.name, json.RawMessage(e.text))
			require.NoError(t, err)
			var out workflows.PeekResult
			require.NoError(t, value.Get(&out))
			require.Equal(t, updated, out.Ticket.Number)
			require.NotEmpty(t, out.Events)
		case "list":
			_, err := temporal.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Namespace: "default", Query: e.text})
			require.NoError(t, err, e.text)
		}
	}
	require.Equal(t, map[string]int{"signal": 5, "update": 4, "query": 1, "list": 9}, seen, "a kind of example that the page no longer has")

	// The first two lists find what there is.
	for _, list := range []string{examples[slices.IndexFunc(examples, func(e shown) bool { return e.kind == "list" })].text, `SignalboxStatus = 'OPEN' AND SignalboxService = 'incident'`} {
		harness.Until(t, waiting+" is listed", time.Minute, func() error {
			found, err := temporal.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Namespace: "default", PageSize: 1000,
				Query: "(" + list + ") AND WorkflowId = '" + workflows.TicketID(waiting, 0) + "'"})
			if err != nil {
				return err
			}
			if len(found.GetExecutions()) != 1 {
				return fmt.Errorf("%d found", len(found.GetExecutions()))
			}
			return nil
		})
	}

	// What the API would refuse is refused, and the timeline says why.
	require.NoError(t, temporal.SignalWorkflow(t.Context(), workflows.TicketID(waiting, 0), "", "accept", json.RawMessage(`{}`)))
	harness.Until(t, "the refusal is in the timeline", 2*time.Minute, func() error {
		if answer := c.must(t, "GET", "/api/issue/"+waiting+"/timeline", nil); !regexp.MustCompile(`"refused".*operator: is required`).MatchString(answer.body) {
			return fmt.Errorf("%s", answer.body)
		}
		return nil
	})
	require.Equal(t, "triggered", c.issue(t, waiting).Phase)
}

// TestWhatTemporalShows: Temporal shows each action under its own name, and in the ticket's details where it stands, for whom it waits, and the way to its page; what people typed is
// no link there.
func TestWhatTemporalShows(t *testing.T) {
	t.Parallel()
	d := sharedDev(t)
	c := d.caller()
	temporal := dialTemporal(t, d.temporal, "default")
	c.must(t, "POST", "/api/service", []byte(`{"key":"shown","name":"Shown","nodes":[
		{"id":"decide","name":"Decide","type":"approval","rule":"all","processors":{"persons":["boss","li"]},"deadline":[{"after":"1h","do":"remind"}],"next":"over"},{"id":"over","name":"Over","type":"end"}]}`))
	number := result[string](t, c.must(t, "POST", "/api/issue", map[string]any{"origin": "e2e", "title": "[pay](https://evil.example)", "service": "shown"}))
	details := func() string {
		value, err := temporal.QueryWorkflow(t.Context(), workflows.TicketID(number, 0), "", "__temporal_workflow_metadata")
		require.NoError(t, err)
		var metadata sdkpb.WorkflowMetadata
		require.NoError(t, value.Get(&metadata))
		return metadata.GetCurrentDetails()
	}
	c.must(t, "POST", "/api/issue/"+number+"/handle", map[string]any{"action": "approve", "operator": "boss"})
	now := details()
	require.Contains(t, now, "[Open "+number+" on the pages](<"+d.api+"/ticket/"+number+">)")
	require.Contains(t, now, "`[pay](https://evil.example)`")
	require.Regexp(t, "at `Decide` it waits for `li`, until [0-9-]+ [0-9:]+ UTC", now)
	c.must(t, "POST", "/api/issue/"+number+"/handle", map[string]any{"action": "suspend", "operator": "li", "parameter": map[string]any{"reason": "a *break*"}})
	require.Contains(t, details(), "its deadlines stand still: `a *break*`")

	var names []string
	for iterator := temporal.GetWorkflowHistory(t.Context(), workflows.TicketID(number, 0), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); iterator.HasNext(); {
		event, err := iterator.Next()
		require.NoError(t, err)
		if accepted := event.GetWorkflowExecutionUpdateAcceptedEventAttributes(); accepted != nil {
			names = append(names, accepted.AcceptedRequest.Input.Name)
		}
		if started := event.GetWorkflowExecutionStartedEventAttributes(); started != nil {
			require.Equal(t, "\"`[pay](https://evil.example)`\"", string(event.GetUserMetadata().GetSummary().GetData()))
		}
	}
	require.Equal(t, []string{"handle", "handle"}, names, "which workers of the version before know")
}
