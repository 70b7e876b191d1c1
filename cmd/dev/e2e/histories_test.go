package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/encoding/protojson"

	"signalbox/cmd/dev/e2e/harness"
	"signalbox/desk"
	"signalbox/ticket"
	"signalbox/workflows"
)

// TestRecordHistories records what the workflows leave behind in Temporal, for replay_test.go in package workflows, which replays all of it on
// every run. It runs only when it is asked to: SIGNALBOX_RECORD=2 records into the folder 2, SIGNALBOX_SCENE=working that scene alone. What is recorded stands for tickets that run
// somewhere. Before a release it may be recorded anew; after it, a change of shape is branched with workflow.GetVersion and recorded into a
// new folder, and the old ones stay.
func TestRecordHistories(t *testing.T) {
	folder := os.Getenv("SIGNALBOX_RECORD")
	if folder == "" {
		t.Skip("SIGNALBOX_RECORD=<folder> records histories")
	}
	d := startDev(t, "SIGNALBOX_PROFILE_INTERVALS=minutely:1s", "SIGNALBOX_SWEEP_EVERY=2s", "SIGNALBOX_COMPARE_EVERY=2s", "SIGNALBOX_ATTEND_EVERY=1s")
	s := &recorder{t: t, c: d.caller(), d: d, temporal: dialTemporal(t, d.temporal, "default"), r: harness.NewReceiver(t),
		dir: filepath.Join(root, "workflows", "testdata", "histories", folder)}
	require.NoError(t, os.MkdirAll(s.dir, 0o755))

	for _, scene := range []struct {
		name string
		play func()
	}{
		{"handled", s.handled}, {"generations", s.generations}, {"process", s.process}, {"stopped", s.stopped}, {"broken-off", s.brokenOff}, {"working", s.working}, {"people", s.people}, {"standing", s.standing},
		{"roll-over", s.rollOver}, {"lanes", s.lanes}, {"sweep", s.sweep}, {"partition", s.partition}, // which restarts the system
	} {
		if only := os.Getenv("SIGNALBOX_SCENE"); only == "" || only == scene.name {
			scene.play()
		}
	}
}

// working is a ticket whose deadline and promises count working time: they warn, are broken, stand still, and go on by another calendar.
func (s *recorder) working() {
	s.t.Helper()
	always := []string{"00:00-24:00"}
	week := map[string]any{"monday": always, "tuesday": always, "wednesday": always, "thursday": always, "friday": always, "saturday": always, "sunday": always}
	publish := func(name string) {
		s.c.must(s.t, "POST", "/api/calendar", map[string]any{"key": "always", "name": name, "zone": "Europe/Berlin", "week": week})
	}
	publish("Always")
	s.c.must(s.t, "POST", "/api/service", map[string]any{"key": "working", "name": "Working", "calendar": "always",
		"sla": []any{map[string]any{"name": "resolve", "until": "end", "target": "2 working seconds", "warn": "50 %"}, map[string]any{"name": "late", "until": "end", "target": "8 working hours", "pause": []string{"second"}}},
		"nodes": []any{
			map[string]any{"id": "first", "name": "First", "type": "task", "processors": map[string]any{"anyone": true}, "next": "second",
				"deadline": []any{map[string]any{"after": "3 working seconds", "do": "remind"}, map[string]any{"after": "4 working hours", "do": "remind"}}},
			map[string]any{"id": "second", "name": "Second", "type": "wait", "for": "1 working second", "next": "third"},
			map[string]any{"id": "third", "name": "Third", "type": "task", "processors": map[string]any{"anyone": true}, "next": "over"},
			map[string]any{"id": "over", "name": "Over", "type": "end"}}})
	number := result[string](s.t, s.c.must(s.t, "POST", "/api/issue", map[string]any{"origin": "e2e", "title": "working time", "service": "working"}))
	s.until(number, "elapsed") // after the warning and the breach
	s.act(number, map[string]any{"action": "suspend", "operator": "li"})
	publish("Always, and another version")
	s.c.must(s.t, "POST", "/api/issue/"+number+"/migrate", map[string]any{"version": 1, "operator": "li"})
	s.act(number, map[string]any{"action": "unsuspend", "operator": "li"})
	s.act(number, map[string]any{"action": "submit", "operator": "li"})
	s.until(number, "elapsed")
	s.act(number, map[string]any{"action": "submit", "operator": "li"})
	s.record("ticket-working-time", "ticket:"+number, s.ended("ticket:"+number))
}

// people: a ticket whose people are looked up: facts that come along with what opens it and with commands, those that its workflow asks for because of
// a timer and a signal, and whom another system names, who is away at first.
func (s *recorder) people() {
	t := s.t
	s.c.must(t, "PUT", "/api/person/mo", map[string]any{"name": "Mo"})
	s.c.must(t, "PUT", "/api/person/lin", map[string]any{"name": "Lin", "manager": "mo"})
	s.c.must(t, "PUT", "/api/group/board", map[string]any{"name": "Board", "members": []any{map[string]any{"person": "lin"}, map[string]any{"person": "mo"}}})
	s.r.Answer("/who", harness.Response{Status: 503}, harness.Response{Body: `["mo"]`})
	s.c.publish(t, "key: looked-up\nname: Looked up\nnodes:\n"+
		"  - {id: first, name: First, type: approval, processors: {groups: [board]}, deadline: [{after: 1s, do: escalate, to: {manager_of: opener}}], next: second}\n"+
		"  - {id: second, name: Second, type: approval, processors: {groups: [board]}, next: third}\n"+
		"  - {id: third, name: Third, type: approval, processors: {manager_of: opener}, next: fourth}\n"+
		"  - {id: fourth, name: Fourth, type: approval, processors: {groups: [board], http: {url: '"+s.r.URL("/who")+"', retry: {interval: 1s}}}, next: over}\n"+
		"  - {id: over, name: Over, type: end}\n")
	number := result[string](t, s.c.must(t, "POST", "/api/issue", map[string]any{"origin": "e2e", "title": "people", "service": "looked-up", "opener": "lin"}))
	s.until(number, "elapsed")
	require.True(t, s.act(number, map[string]any{"action": "approve", "operator": "lin"}))
	require.NoError(t, s.temporal.SignalWorkflow(t.Context(), "ticket:"+number, "", "approve", workflows.VoteSignal{Operator: "mo", Node: "second"}))
	harness.Until(t, "the signal is decided", time.Minute, func() error {
		if nodes := s.c.issue(t, number).CurrentNodes; len(nodes) != 1 || nodes[0].ID != "third" {
			return fmt.Errorf("it stands at %v", nodes)
		}
		return nil
	})
	require.True(t, s.act(number, map[string]any{"action": "approve", "operator": "mo", "node": "third"}))
	s.until(number, "called")
	require.True(t, s.act(number, map[string]any{"action": "approve", "operator": "mo", "node": "fourth"}))
	s.record("ticket-looked-up", "ticket:"+number, s.ended("ticket:"+number))
}

// standing is a ticket that is told who is absent and who has left: a deputy acts, a timer ends that, and somebody takes over.
func (s *recorder) standing() {
	t := s.t
	for id, manager := range map[string]string{"pat": "", "pip": "", "pam": "pat"} {
		s.c.must(t, "PUT", "/api/person/"+id, map[string]any{"manager": manager})
	}
	s.c.publish(t, "key: standing\nname: Standing\nnodes:\n"+
		"  - {id: first, name: First, type: approval, processors: {persons: [pam]}, next: second}\n"+
		"  - {id: second, name: Second, type: task, processors: {persons: [pam]}, next: over}\n"+
		"  - {id: over, name: Over, type: end}\n")
	number := result[string](t, s.c.must(t, "POST", "/api/issue", map[string]any{"origin": "e2e", "title": "standing", "service": "standing"}))
	s.c.must(t, "POST", "/api/absence", map[string]any{"person": "pam", "from": "2020-01-01", "to": time.Now().UTC().Add(20 * time.Second).Format(time.RFC3339), "deputy": "pip", "operator": "pam"})
	s.until(number, "attended")
	require.True(t, s.act(number, map[string]any{"action": "approve", "operator": "pip"}))
	s.until(number, "elapsed")
	s.c.must(t, "PUT", "/api/person/pam", map[string]any{"manager": "pat", "active": false})
	harness.Until(t, "pat has taken over", time.Minute, func() error {
		if !s.act(number, map[string]any{"action": "submit", "operator": "pat"}) {
			return errors.New("not yet")
		}
		return nil
	})
	s.record("ticket-standing", "ticket:"+number, s.ended("ticket:"+number))
	s.recordLast("attend", "Attend")
}

// recorder drives the system from scene to scene and records the histories.
type recorder struct {
	t        *testing.T
	c        *caller
	d        *dev
	temporal client.Client
	r        *harness.Receiver
	dir      string
}

// traces tell which machine and process did something; a replay does not ask.
var traces = regexp.MustCompile(`("identity":\s*"|"name":\s*")([^"]*@[^"]*|[^"]*:[0-9a-f]{8}-[0-9a-f-]{27})"`)

// record writes one run's history into a file; an empty run is the latest.
func (s *recorder) record(name, id, run string) {
	s.t.Helper()
	history := &historypb.History{}
	for iterator := s.temporal.GetWorkflowHistory(s.t.Context(), id, run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); iterator.HasNext(); {
		event, err := iterator.Next()
		require.NoError(s.t, err)
		history.Events = append(history.Events, event)
	}
	raw, err := protojson.Marshal(history)
	require.NoError(s.t, err)
	var out bytes.Buffer
	require.NoError(s.t, json.Indent(&out, traces.ReplaceAll(raw, []byte(`${1}recorded"`)), "", " "))
	require.NoError(s.t, os.WriteFile(filepath.Join(s.dir, name+".json"), append(out.Bytes(), '\n'), 0o644))
	s.t.Logf("%s: %d events", name, len(history.Events))
}

// ended waits for the end of a run and gives its id.
func (s *recorder) ended(id string) string {
	s.t.Helper()
	var run string
	harness.Until(s.t, id+" is over", time.Minute, func() error {
		described, err := s.temporal.DescribeWorkflowExecution(s.t.Context(), id, "")
		if err != nil {
			return err
		}
		run = described.WorkflowExecutionInfo.Execution.RunId
		if status := described.WorkflowExecutionInfo.Status; status != enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED {
			return errors.New(status.String())
		}
		return nil
	})
	return run
}

// act does something to a ticket and tells whether it was done.
func (s *recorder) act(number string, body map[string]any) bool {
	s.t.Helper()
	a, err := s.c.send(s.t.Context(), "POST", "/api/issue/"+number+"/handle", "", body)
	require.NoError(s.t, err)
	require.Less(s.t, a.status, 500, a)
	return a.status == 200
}

func (s *recorder) say(number string) {
	s.t.Helper()
	s.c.must(s.t, "POST", "/api/issue/"+number+"/conversation", map[string]any{"author": "li", "content": "hello"})
}

// signal uses the second door, and waits for what comes of it.
func (s *recorder) signal(number, name string, payload any, becomes string) {
	s.t.Helper()
	require.NoError(s.t, s.temporal.SignalWorkflow(s.t.Context(), "ticket:"+number, "", name, payload))
	s.until(number, becomes)
}

// until waits for an event of that type at the end of the timeline.
func (s *recorder) until(number, kind string) {
	s.t.Helper()
	harness.Until(s.t, kind+" on "+number, time.Minute, func() error {
		list := s.c.timeline(s.t, number)
		if last := list[len(list)-1].Type; last != kind {
			return errors.New(last)
		}
		return nil
	})
}

// update uses the second door without the desk, and waits for what comes of it.
func (s *recorder) update(number string, c ticket.Command, becomes string) {
	s.t.Helper()
	handle, err := s.temporal.UpdateWorkflow(s.t.Context(), client.UpdateWorkflowOptions{WorkflowID: "ticket:" + number, UpdateID: "by-hand-" + becomes,
		UpdateName: workflows.UpdateHandle, Args: []any{workflows.HandleRequest{Command: c}}, WaitForStage: client.WorkflowUpdateStageCompleted})
	require.NoError(s.t, err)
	require.NoError(s.t, handle.Get(s.t.Context(), nil))
	s.until(number, becomes)
}

// handled: a ticket that is handled by updates and signals, some of them refused, by the desk and without it.
func (s *recorder) handled() {
	t := s.t
	number := s.c.open(t)
	require.True(t, s.act(number, map[string]any{"action": "accept", "operator": "li"}))
	require.False(t, s.act(number, map[string]any{"action": "accept", "operator": "wang"}), "refused by the validator")
	s.signal(number, "accept", workflows.AcceptSignal{Operator: "wang"}, "refused")
	s.c.must(t, "PUT", "/api/issue/"+number+"/relations/manifest", map[string]any{"content": []string{"one"}})
	require.True(t, s.act(number, map[string]any{"action": "suspend", "operator": "li"}))
	require.True(t, s.act(number, map[string]any{"action": "unsuspend", "operator": "li"}))
	solution := ticket.Solution{Type: "inc_type_p_config_issues", Cause: "c", Text: "s"}
	s.signal(number, "commit-solution", "no object", "refused")
	s.update(number, ticket.Command{Action: ticket.Suspend, Operator: "li"}, "suspended")
	s.update(number, ticket.Command{Action: ticket.Unsuspend, Operator: "li"}, "resumed")
	s.signal(number, "commit-solution", map[string]any{"operator": "li", "mtm_type": "nonsense", "is_service_interrupt": true, "cause": "c", "solution": "s"}, "refused")
	s.signal(number, "commit-solution", workflows.CommitSolutionSignal{Operator: "li", Solution: solution}, "solved")
	s.record("ticket-open", "ticket:"+number, "")
	s.c.must(t, "POST", handlePath, incidentCall(t, "confirm.json", number))
	s.c.must(t, "POST", handlePath, incidentCall(t, "commit.json", number))
	s.signal(number, "confirm", workflows.ConfirmSignal{Operator: "li", Verdict: ticket.Verdict{Passed: true, Comment: "good"}}, "confirmed")
	s.record("ticket-completed", "ticket:"+number, s.ended("ticket:"+number))
}

// generations: a ticket is taken up again, and one that stays ended gets a message.
func (s *recorder) generations() {
	t := s.t
	number := s.c.open(t)
	close := func() {
		s.c.must(t, "PUT", "/api/issue/"+number+"/status", map[string]any{"status": "CLOSED", "operator": "li"})
	}
	close()
	s.record("ticket-closed", "ticket:"+number, s.ended("ticket:"+number))
	s.say(number)
	s.record("ticket-life-ended", "ticket:"+number+"/1", s.ended("ticket:"+number+"/1"))
	s.c.must(t, "PUT", "/api/issue/"+number+"/status", map[string]any{"status": "OPEN", "operator": "li"})
	require.True(t, s.act(number, map[string]any{"action": "accept", "operator": "li"}))
	close()
	s.record("ticket-life-reopened", "ticket:"+number+"/2", s.ended("ticket:"+number+"/2"))
}

// process: a call that fails and succeeds, a wait, a deadline, votes by both doors, a task that is claimed.
func (s *recorder) process() {
	t := s.t
	text, err := os.ReadFile("testdata/recorded.yaml")
	require.NoError(t, err)
	s.r.Answer("/call", harness.Response{Status: 500}, harness.Response{Body: "{}"})
	s.c.must(t, "POST", "/api/service", []byte(strings.ReplaceAll(string(text), "RECEIVER", s.r.URL(""))))
	number := result[string](t, s.c.must(t, "POST", "/api/issue", map[string]any{"origin": "e2e", "title": "a process", "service": "recorded"}))
	harness.Until(t, "the approvers are reminded", time.Minute, func() error {
		raw := s.c.must(t, "GET", "/api/issue/"+number+"/timeline?limit=200", nil).body
		if !strings.Contains(raw, `"reminded"`) {
			return errors.New(raw)
		}
		return nil
	})
	s.record("ticket-process-waiting", "ticket:"+number, "")
	require.True(t, s.act(number, map[string]any{"action": "approve", "operator": "wang", "node": "boss"}))
	require.False(t, s.act(number, map[string]any{"action": "approve", "operator": "wang", "node": "boss"}))
	require.True(t, s.act(number, map[string]any{"action": "claim", "operator": "sun", "node": "desk"}))
	s.signal(number, "approve", workflows.VoteSignal{Operator: "zhao", Node: "boss"}, "approved")
	require.True(t, s.act(number, map[string]any{"action": "submit", "operator": "sun", "node": "desk"}))
	s.record("ticket-process-completed", "ticket:"+number, s.ended("ticket:"+number))
}

// stopped: attempts at a request that a suspension, a migration and the end of the ticket stop; and votes that are judged by a migration.
func (s *recorder) stopped() {
	t := s.t
	s.r.Answer("/ring", harness.Response{Status: 503})
	first := strings.Replace(ringing, "RING", s.r.URL("/ring"), 1)
	s.c.publish(t, first)
	number := s.c.openService(t, "ringing", nil)
	s.r.Await(t, "/ring", 2, time.Minute)
	require.True(t, s.act(number, map[string]any{"action": "suspend", "operator": "boss"}))
	require.True(t, s.act(number, map[string]any{"action": "unsuspend", "operator": "boss"}))
	s.r.Await(t, "/ring", len(s.r.Requests("/ring"))+1, time.Minute)
	s.c.publish(t, strings.Replace(first, "id: ring", "id: bell", 1))
	s.c.must(t, "POST", "/api/issue/"+number+"/migrate", map[string]any{"version": 2, "operator": "boss", "nodes": map[string]string{"ring": "bell"}})
	s.r.Await(t, "/ring", len(s.r.Requests("/ring"))+1, time.Minute)
	s.c.must(t, "PUT", "/api/issue/"+number+"/status", map[string]any{"status": "CLOSED", "operator": "boss"})
	s.record("ticket-requests-stopped", "ticket:"+number, s.ended("ticket:"+number))

	const votes = "key: judged\nname: Judged\nnodes:\n" +
		"  - {id: v, name: Vote, type: approval, rule: percent, percent: 60, processors: {persons: [a, b, c, d, e]}, deadline: [{after: 1s, do: reassign, to: {persons: [boss]}}], next: over}\n" +
		"  - {id: over, name: Over, type: end}\n"
	s.c.publish(t, votes)
	number = s.c.openService(t, "judged", nil)
	require.True(t, s.act(number, map[string]any{"action": "approve", "operator": "a"}))
	require.True(t, s.act(number, map[string]any{"action": "approve", "operator": "b"}))
	s.until(number, "elapsed")
	s.c.publish(t, strings.Replace(votes, "percent: 60", "percent: 40", 1))
	s.c.must(t, "POST", "/api/issue/"+number+"/migrate", map[string]any{"version": 2, "operator": "boss"})
	s.record("ticket-judged-by-migration", "ticket:"+number, s.ended("ticket:"+number))
}

// brokenOff: a suspension and a migration, each while a request is under way.
func (s *recorder) brokenOff() {
	t := s.t
	s.r.Answer("/hold", harness.Response{Hang: true}, harness.Response{Hang: true}, harness.Response{Body: "{}"})
	first := "key: held\nname: Held\nnodes:\n" +
		"  - {id: hold, name: Hold, type: call, call: {url: '" + s.r.URL("/hold") + "', timeout: 20s, retry: {attempts: 9, interval: 1s}}, next: over}\n" +
		"  - {id: over, name: Over, type: end}\n"
	s.c.publish(t, first)
	number := s.c.openService(t, "held", nil)
	s.r.Await(t, "/hold", 1, time.Minute)
	require.True(t, s.act(number, map[string]any{"action": "suspend", "operator": "boss"}))
	s.left("/hold", 1)
	require.True(t, s.act(number, map[string]any{"action": "unsuspend", "operator": "boss"}))
	s.r.Await(t, "/hold", 2, time.Minute)
	s.c.publish(t, strings.Replace(first, "id: hold", "id: keep", 1))
	s.c.must(t, "POST", "/api/issue/"+number+"/migrate", map[string]any{"version": 2, "operator": "boss", "nodes": map[string]string{"hold": "keep"}})
	s.r.Await(t, "/hold", 3, time.Minute)
	s.record("ticket-requests-broken-off", "ticket:"+number, s.ended("ticket:"+number))
}

// left waits until nobody waits for the answer to the nth request at a path any more.
func (s *recorder) left(path string, n int) {
	s.t.Helper()
	harness.Until(s.t, fmt.Sprintf("request %d for %q is given up", n, path), time.Minute, func() error {
		if s.r.Requests(path)[n-1].Left.IsZero() {
			return errors.New("not yet")
		}
		return nil
	})
}

// rollOver: a ticket of two runs. How many updates a run takes is no setting, so this one is opened past the desk.
func (s *recorder) rollOver() {
	t, ctx := s.t, s.t.Context()
	engine := &workflows.Engine{Client: s.temporal, Namespace: "default", MoveAfter: 3}
	id := ticket.Identity{ID: 1_000_000, Number: "IM202601020304051000000", UUID: uuid.NewString(), Tenant: "demo"}
	events, err := ticket.Open(ticket.Draft{Channel: ticket.ChannelIssue, App: "demo", Origin: "e2e", Title: "rolls over"}, id, uuid.NewString(), time.Now())
	require.NoError(t, err)
	require.NoError(t, engine.Begin(ctx, ticket.Ticket{}, events))
	first := ""
	for i := range 5 {
		c := speak()
		for {
			_, err := engine.Update(ctx, id, 0, desk.Seen{}, c)
			if !errors.Is(err, desk.ErrMoving) {
				require.NoError(t, err)
				break
			}
		}
		if i == 0 {
			first = s.run("ticket:" + id.Number)
		}
	}
	require.NotEqual(t, first, s.run("ticket:"+id.Number))
	_, err = engine.Update(ctx, id, 0, desk.Seen{}, command(ticket.Terminate))
	require.NoError(t, err)
	s.record("ticket-roll-over-first-run", "ticket:"+id.Number, first)
	s.record("ticket-roll-over-last-run", "ticket:"+id.Number, s.ended("ticket:"+id.Number))
}

// run gives the id of a workflow's current run.
func (s *recorder) run(id string) string {
	s.t.Helper()
	described, err := s.temporal.DescribeWorkflowExecution(s.t.Context(), id, "")
	require.NoError(s.t, err)
	return described.WorkflowExecutionInfo.Execution.RunId
}

// lanes: one that recovers after two failures, one whose address is dropped.
func (s *recorder) lanes() {
	t := s.t
	number := s.c.open(t)
	failing := harness.Response{Status: 500}
	s.r.Answer("/recovers", failing, failing, harness.Response{})
	gone := harness.NewReceiver(t) // another host: one that fails for long is left alone, with all its addresses
	gone.Answer("/dead", failing)
	recovers, dead := s.c.register(t, number, s.r.URL("/recovers")), s.c.register(t, number, gone.URL("/dead"))
	s.say(number)
	s.say(number)
	lane := func(nid string) string {
		page, err := s.temporal.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{
			Query: fmt.Sprintf(`WorkflowId STARTS_WITH "lane:%s:" AND ExecutionStatus = "Completed"`, nid)})
		require.NoError(t, err)
		if len(page.Executions) == 0 {
			return ""
		}
		return page.Executions[0].Execution.WorkflowId
	}
	for name, nid := range map[string]string{"lane-recovers": recovers, "lane-dropped": dead} {
		var id string
		harness.Until(t, name+" is over", time.Minute, func() error {
			if id = lane(nid); id == "" {
				return errors.New("not yet")
			}
			return nil
		})
		s.record(name, id, "")
	}
	require.Len(t, s.r.Requests("/recovers"), 4)
	require.Len(t, gone.Requests("/dead"), 11)

	// What arrived is asked for again.
	s.c.must(t, "POST", "/api/issue/"+number+"/notification/"+recovers+"/redeliver", map[string]any{"state": "sent"})
	s.r.Await(t, "/recovers", 6, time.Minute)
	s.recordLast("redeliver", "Redeliver")
}

// sweep: what the schedules run.
func (s *recorder) sweep() {
	s.recordLast("sweep", "Sweep")
	s.recordLast("prune", "Prune")
	s.recordLast("compare", "Compare") // one that goes on behind the one before it
}

// recordLast records the last run of a type that is over.
func (s *recorder) recordLast(name, kind string) {
	s.t.Helper()
	var found *workflowservice.ListWorkflowExecutionsResponse
	harness.Until(s.t, "a run of "+kind+" is over", time.Minute, func() (err error) {
		found, err = s.temporal.ListWorkflow(s.t.Context(), &workflowservice.ListWorkflowExecutionsRequest{
			Query: fmt.Sprintf(`WorkflowType = "%s" AND ExecutionStatus = "Completed"`, kind)})
		if err == nil && len(found.Executions) == 0 {
			err = errors.New("none")
		}
		return err
	})
	execution := found.Executions[0].Execution
	s.record(name, execution.WorkflowId, execution.RunId)
}

// partition: a drain that ended because its worker stopped, and the next.
func (s *recorder) partition() {
	require.Zero(s.t, s.d.process.Terminate(time.Minute))
	s.d.start(s.t)
	s.temporal = dialTemporal(s.t, s.d.temporal, "default")
	harness.Until(s.t, "the partition goes on", time.Minute, func() error {
		described, err := s.temporal.DescribeWorkflowExecution(context.WithoutCancel(s.t.Context()), "deliveries:0", "")
		if err == nil && (len(described.PendingActivities) == 0 || described.WorkflowExecutionInfo.HistoryLength < 9) {
			err = errors.New("not yet")
		}
		return err
	})
	s.record("deliveries", "deliveries:0", "")
}
