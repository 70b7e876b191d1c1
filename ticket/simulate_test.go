package ticket_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/flow"
	"signalbox/ticket"
)

var solved = &ticket.Solution{Type: "inc_type_p_config_issues", Cause: "a cause", Text: "a solution"}

var monday = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// drafted is a ticket to be, of a definition's source.
func drafted(t tester, source string, fields map[string]any) ticket.Draft {
	t.Helper()
	if !strings.Contains(source, "\nnodes:") {
		source = "key: test\nname: Test\nnodes:\n" + source
	}
	def, faults := flow.Parse([]byte(source))
	require.Empty(t, faults, "%s", faults.Error())
	d := draft()
	d.Opener, d.Service, d.Definition, d.Form = "olga", def.Key, &def, fields
	return d
}

func example(t tester, name string, fields map[string]any) ticket.Draft {
	t.Helper()
	raw, err := os.ReadFile("../examples/" + name + ".yaml")
	require.NoError(t, err)
	return drafted(t, string(raw), fields)
}

// path tells a report as lines: the time since the beginning, what happened, where, and who was concerned.
func path(r ticket.Simulation) string {
	var b strings.Builder
	for _, m := range r.Path {
		if m.Kind == flow.Left || m.Kind == flow.Entered && len(m.To) == 0 {
			continue
		}
		fmt.Fprintf(&b, "%s %s %s", m.At.Sub(r.Began), m.Kind, m.Node)
		if m.Who != "" {
			b.WriteString(" by " + m.Who)
		}
		if len(m.To) > 0 {
			b.WriteString(" to " + strings.Join(m.To, ","))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestALeaveRequestIsSimulated(t *testing.T) {
	d := example(t, "leave_request", map[string]any{"title": "Holiday", "manager": "mike", "from": "2026-04-01", "days": 15.0})
	r, err := ticket.Simulate(d, ticket.Script{
		Answers: []ticket.ScriptedAct{
			{After: "3d", Act: flow.Act{Node: "manager", Action: flow.Reject, Actor: "mike", Comment: "too long"}},
			{After: "1h", Act: flow.Act{Node: "revise", Action: flow.Submit, Actor: "olga", Fields: map[string]any{"from": "2026-04-01", "days": "12"}}},
			{After: "6d", Act: flow.Act{Node: "manager", Action: flow.Approve, Actor: "hr-desk"}},
			{After: "1h", Act: flow.Act{Node: "hr", Action: flow.Approve, Actor: "hugo"}},
			{After: "2h", Act: flow.Act{Node: "hr", Action: flow.Approve, Actor: "hugo"}},
			{After: "3h", Act: flow.Act{Node: "hr", Action: flow.Approve, Actor: "hana"}},
			{After: "3h", Act: flow.Act{Node: "hr", Action: flow.Approve, Actor: "helen"}},
		},
		Calls: []ticket.ScriptedCall{{Node: "book", After: "2s", Status: 503}},
	}, monday)
	require.NoError(t, err)
	require.Equal(t, `0s entered manager to mike
48h0m0s reminded manager to mike
72h0m0s voted manager by mike
72h0m0s went_back manager by mike to revise
72h0m0s entered revise to olga
73h0m0s acted revise by olga
73h0m0s entered manager to mike
121h0m0s reminded manager to mike
193h0m0s escalated manager to hr-desk
217h0m0s voted manager by hr-desk
217h0m0s entered hr to helen,hugo,hana
218h0m0s voted hr by hugo
220h0m0s voted hr by hana
220h0m36s call_failed book to hr-desk
`, path(r))
	require.Len(t, r.Timers, 3)
	require.Equal(t, []string{"book"}, []string{r.Calls[0].Node})
	require.JSONEq(t, `{"person":"olga","from":"2026-04-01T00:00:00Z","days":12,"approved_by":["hr-desk"]}`, r.Calls[0].Body)
	require.Equal(t, []ticket.Mistake{{At: monday.Add(219 * time.Hour), Answer: 4, Why: "operator: hugo has voted already"}}, r.Refused)
	require.Equal(t, []int{6}, r.Unused)
	require.Nil(t, r.Ending)
	require.Equal(t, flow.Failed, r.Rests[0].State)
	require.Equal(t, "HTTP 503", r.Rests[0].Problem)
	told := 0
	for _, m := range r.Notifications {
		require.NotEmpty(t, m.To)
		told++
	}
	require.Equal(t, 8, told)
}

// Step by step nothing happens after the moment that it is played to, and a request waits until the script says what comes of each attempt. What was played does not
// change by what comes after it.
func TestASimulationIsStopped(t *testing.T) {
	d := example(t, "leave_request", map[string]any{"title": "Holiday", "manager": "mike", "from": "2026-04-01", "days": 3.0})
	script := ticket.Script{}
	to := func(lasts time.Duration) ticket.Simulation {
		r, err := ticket.SimulateFor(d, script, monday, lasts)
		require.NoError(t, err)
		return r
	}
	r := to(0)
	require.Equal(t, "0s entered manager to mike\n", path(r))
	require.Equal(t, monday.Add(48*time.Hour), *r.Ahead)
	require.Equal(t, ticket.Triggered, r.Stands.Status)
	require.Len(t, to(48*time.Hour-time.Second).Timers, 0)
	require.Len(t, to(48*time.Hour).Timers, 1, "what happens at that moment has happened")
	script.Answers = []ticket.ScriptedAct{{After: "49h", Act: flow.Act{Node: "manager", Action: flow.Approve, Actor: "mike"}}}
	require.Equal(t, monday.Add(49*time.Hour), *to(48 * time.Hour).Ahead)
	r = to(49 * time.Hour)
	require.Nil(t, r.Ahead)
	require.Len(t, r.Open, 1)
	require.Equal(t, 1, r.Open[0].Number)
	require.Equal(t, monday.Add(49*time.Hour), r.Open[0].At)
	require.Equal(t, r.Open, to(480*time.Hour).Open, "it waits for ever")
	script.Calls = []ticket.ScriptedCall{{Node: "book", After: "1h", Status: 503}}
	require.Len(t, to(49*time.Hour).Open, 0)
	r = to(51 * time.Hour)
	require.Equal(t, 2, r.Open[0].Number, "each attempt by itself")
	script.Calls = append(script.Calls, ticket.ScriptedCall{Node: "book", After: "1h", Status: 200})
	r = to(52 * time.Hour)
	require.Equal(t, flow.Completed, r.Ending.Status)
	require.True(t, r.Stands.Ended())
	whole, err := ticket.Simulate(d, script, monday)
	require.NoError(t, err)
	require.Equal(t, whole.Events, r.Events, "played to its end it is what it is without stops")
}

func TestAChangeWithTwoLevelsIsSimulated(t *testing.T) {
	fields := map[string]any{"title": "Upgrade", "risk": "high", "start": "2026-03-20 22:00:00", "plan": "P"}
	yes := func(node, who, after string) ticket.ScriptedAct {
		return ticket.ScriptedAct{After: after, Act: flow.Act{Node: node, Action: flow.Approve, Actor: who}}
	}
	r, err := ticket.Simulate(example(t, "change_two_levels", fields), ticket.Script{Answers: []ticket.ScriptedAct{
		yes("security", "sam", "1h"),
		{After: "2h", Act: flow.Act{Node: "operations", Action: flow.Claim, Actor: "otto"}},
		{After: "4h", Act: flow.Act{Node: "operations", Action: flow.Confirm, Actor: "otto", Pass: false, Comment: "no rollback"}},
		{After: "1d", Act: flow.Act{Node: "rework", Action: flow.Submit, Actor: "olga", Fields: map[string]any{"plan": "Q"}}},
		{After: "1h", Act: flow.Act{Node: "security", Round: 2, Action: flow.Approve, Actor: "sam"}},
		{After: "2h", Act: flow.Act{Node: "security", Round: 2, Action: flow.Approve, Actor: "sara"}},
		{After: "30h", Act: flow.Act{Node: "operations", Action: flow.Confirm, Actor: "ops-lead", Pass: true, Comment: "fine", Fields: map[string]any{"rollback": "restore"}}},
		yes("board", "boris", "1h"), {After: "2h", Act: flow.Act{Node: "board", Action: flow.Reject, Actor: "bela"}}, yes("board", "bodo", "3h"), yes("board", "britt", "4h"),
		yes("director", "dora", "1d"),
		{Act: flow.Act{Node: "work", Action: flow.Assign, Actor: "ops-lead", Targets: []string{"otto"}}},
		{After: "2h", Act: flow.Act{Node: "work", Action: flow.CommitSolution, Actor: "otto"}, Solution: solved},
		{After: "1h", Act: flow.Act{Node: "check", Action: flow.Confirm, Actor: "olga", Pass: true, Comment: "as planned"}},
	}}, monday)
	require.NoError(t, err)
	require.Empty(t, r.Refused)
	require.Equal(t, `0s entered security to sam,sara
0s entered operations to otto,olive
1h0m0s voted security by sam
2h0m0s claimed operations by otto
4h0m0s acted operations by otto
4h0m0s went_back operations by otto to rework
4h0m0s cancelled security
4h0m0s entered rework to olga
28h0m0s acted rework by olga
28h0m0s entered security to sam,sara
28h0m0s entered operations to otto,olive
29h0m0s voted security by sam
30h0m0s voted security by sara
36h0m0s reminded operations to otto,olive
52h0m0s reassigned operations to ops-lead
58h0m0s acted operations by ops-lead
58h0m0s entered board to berta,boris,bela,bodo,britt
59h0m0s voted board by boris
60h0m0s voted board by bela
61h0m0s voted board by bodo
62h0m0s voted board by britt
62h0m0s entered director to dora
86h0m0s voted director by dora
445h0m0s entered work to ops-lead
445h0m0s assigned work by ops-lead to otto
447h0m0s acted work by otto
447h0m0s entered check to olga
448h0m0s acted check by olga
448h0m0s finished done
`, path(r))
	require.Equal(t, &flow.Ending{Status: flow.Completed, ApproveResult: true, Why: `every approval was passed: "Security review" was approved by sam, sara; "Change board" was approved by boris, bodo, britt; ` +
		`"Director's approval" was approved by dora`}, r.Ending)
	require.Equal(t, "Q", r.Fields["plan"])
	require.Equal(t, ticket.Completed, r.Status)
	require.Equal(t, "P", fields["plan"], "a simulation must not touch what it was given")
}

func TestAnIncidentThatMendsItselfIsSimulated(t *testing.T) {
	fields := map[string]any{"title": "down", "host": "db 1/2", "runbook": "restart"}
	d := example(t, "incident_auto_remediation", fields)
	r, err := ticket.Simulate(d, ticket.Script{Calls: []ticket.ScriptedCall{
		{Node: "remedy", After: "3s", Status: 202, Body: `{"run_id":"r/7"}`},
		{Node: "probe", After: "1s", Status: 200, Body: `{"healthy":true}`},
	}}, monday)
	require.NoError(t, err)
	require.Equal(t, "https://monitor.example.com/hosts/db%201%2F2/health?run=r%2F7", r.Calls[1].URL)
	require.Equal(t, &flow.Ending{Status: flow.Completed, ApproveResult: true, Why: "the process came to its end, and no approval was entered"}, r.Ending)
	require.Equal(t, 5*time.Minute+4*time.Second+72*time.Hour, r.Until.Sub(r.Began), "nobody objected for three days")

	// The machine cannot help: people are called, and silence escalates.
	r, err = ticket.Simulate(d, ticket.Script{
		Calls: []ticket.ScriptedCall{{Node: "remedy", Status: 202, Body: `{"run_id":"r7"}`}, {Node: "probe", Status: 200, Body: `{"healthy":false}`}},
		Answers: []ticket.ScriptedAct{
			{After: "20m", Act: flow.Act{Node: "accept", Action: flow.Accept, Actor: "duty-manager"}},
			{After: "1h", Act: flow.Act{Node: "solve", Action: flow.CommitSolution, Actor: "duty-manager"}, Solution: solved},
			{After: "1h", Act: flow.Act{Node: "confirm", Action: flow.Confirm, Actor: "ann", Pass: true, Comment: "good"}},
		}}, monday)
	require.NoError(t, err)
	require.Empty(t, r.Refused)
	require.Equal(t, "duty-manager", r.Assignee)
	require.Equal(t, flow.Completed, r.Ending.Status)
}

func TestThirtyDaysAreSimulatedInAnInstant(t *testing.T) {
	month := func(days int) string {
		source := "key: month\nname: Month\nnodes:\n"
		for day := range days {
			source += fmt.Sprintf("- {id: d%d, name: D, type: approval, rule: all, processors: {persons: [ann, bob]}, deadline: [{after: 6h, do: remind}, {after: 1d, do: approve}], next: b%d}\n", day, day)
			source += fmt.Sprintf("- {id: b%d, name: B, type: branch, cases: [{when: 'nodes.d%d.passed && fields.n > 10', next: done}], default: %s}\n", day, day, map[bool]string{true: "done", false: fmt.Sprint("d", day+1)}[day == days-1])
		}
		return source + "- {id: done, name: Done, type: end}\nfields: [{key: n, type: INT}]"
	}
	d := drafted(t, month(30), nil)
	synctest.Test(t, func(t *testing.T) { // time passes here only for who waits for it
		began := time.Now()
		r, err := ticket.Simulate(d, ticket.Script{}, monday)
		require.Zero(t, time.Since(began))
		require.NoError(t, err)
		require.Equal(t, 30*24*time.Hour, r.Until.Sub(r.Began))
		require.Len(t, r.Timers, 60)
		require.Equal(t, flow.Completed, r.Ending.Status)
	})
	work := func(days int) float64 {
		d := drafted(t, month(days), nil)
		return testing.AllocsPerRun(1, func() { _, _ = ticket.Simulate(d, ticket.Script{}, monday) })
	}
	require.Less(t, work(30), 4*3*work(10), "what it costs grows with the days, and hardly faster")
}

func TestASimulationOfAProcessThatPollsForEverIsCutOff(t *testing.T) {
	d := drafted(t, `
- {id: w, name: W, type: wait, for: 1m, next: b}
- {id: b, name: B, type: branch, cases: [{when: fields.go, next: done}], default: w}
- {id: done, name: Done, type: end}
fields: [{key: go, type: BOOL}]`, nil)
	r, err := ticket.Simulate(d, ticket.Script{}, monday)
	require.NoError(t, err)
	require.True(t, r.Endless)
	require.Len(t, r.Timers, ticket.MaxSimulated)
}

func TestASimulationIsNotApprovedWhereItsProcessTerminates(t *testing.T) {
	d := drafted(t, `- {id: ask, name: Ask, type: approval, processors: {persons: [ann]}, next: no}
- {id: no, name: No, type: end, status: terminated}`, nil)
	r, err := ticket.Simulate(d, ticket.Script{Answers: []ticket.ScriptedAct{{Act: flow.Act{Node: "ask", Action: flow.Approve, Actor: "ann"}}}}, monday)
	require.NoError(t, err)
	require.Equal(t, &flow.Ending{Status: flow.Terminated, Why: "the process ended the ticket as terminated"}, r.Ending)
}

func TestAScriptThatCannotBeReadIsRefused(t *testing.T) {
	for why, script := range map[string]ticket.Script{
		"script.answers[0].after: must be a length of time": {Answers: []ticket.ScriptedAct{{After: "soon", Act: flow.Act{Node: "accept"}}}},
		"script.answers[0].node: is required":               {Answers: []ticket.ScriptedAct{{After: "1h"}}},
		"script.calls[0].after: must be a length of time":   {Calls: []ticket.ScriptedCall{{After: "later"}}},
	} {
		_, err := ticket.Simulate(draft(), script, monday)
		require.ErrorContains(t, err, why)
	}
}

// What the rules refuse a ticket they refuse a simulation, in the same words.
func TestASimulationIsRefusedWhatATicketIs(t *testing.T) {
	act := func(action flow.Action, comment string, solution *ticket.Solution) ticket.ScriptedAct {
		node := map[flow.Action]string{flow.Accept: "accept", flow.CommitSolution: "solve", flow.Confirm: "confirm"}[action]
		return ticket.ScriptedAct{After: "1m", Act: flow.Act{Node: node, Action: action, Actor: "ann", Comment: comment, Pass: true}, Solution: solution}
	}
	long := *solved
	long.Cause = chars(ticket.MaxCause + 1)
	r, err := ticket.Simulate(draft(), ticket.Script{Answers: []ticket.ScriptedAct{
		act(flow.Accept, chars(ticket.MaxReason+1), nil), act(flow.Accept, "", nil),
		act(flow.CommitSolution, "", nil), act(flow.CommitSolution, "", &long), act(flow.CommitSolution, "", solved),
		act(flow.Confirm, "", nil), act(flow.Confirm, chars(ticket.MaxComment+1), nil), act(flow.Confirm, "good", nil),
	}}, monday)
	require.NoError(t, err)
	var refused []string
	for _, m := range r.Refused {
		refused = append(refused, fmt.Sprint(m.Answer, " ", m.Why))
	}
	require.Equal(t, []string{
		"0 reason: must have at most 1000 characters, not 1001",
		"2 mtm_type: is required and must not be empty; cause: is required and must not be empty; solution: is required and must not be empty",
		"3 cause: must have at most 10000 characters, not 10001",
		"5 virtual_confirm_comment: is required and must not be empty",
		"6 virtual_confirm_comment: must have at most 300 characters, not 301",
	}, refused)
	require.Equal(t, ticket.Completed, r.Status)
	_, err = ticket.Simulate(drafted(t, `- {id: done, name: Done, type: end}`, map[string]any{"x": 1.0}), ticket.Script{}, monday)
	require.ErrorContains(t, err, "fields.x: the form has no such field", "and so with the draft")
}

const polled = `
- {id: ask, name: Ask, type: call, call: {url: 'https://a.example.com', retry: {attempts: 3, interval: 1m, coefficient: 2}, answer: {run: 'headers["x-run"]'}}, fields: [{key: run, type: STRING}], processors: {persons: [ops]}, next: done}
- {id: done, name: Done, type: end}`

// A request is made as often as its node says, and what a receiver answers is read with its headers.
func TestASimulationMakesEveryAttempt(t *testing.T) {
	type calls = []ticket.ScriptedCall
	busy, good := ticket.ScriptedCall{Node: "ask", After: "1s", Status: 503}, ticket.ScriptedCall{Node: "ask", After: "1s", Status: 200, Headers: map[string]string{"X-Run": "r7"}}
	for name, c := range map[string]struct {
		calls calls
		want  string
		run   any
	}{
		"at once":                             {calls{good}, "1s call_done ask\n1s finished done\n", "r7"},
		"at the third":                        {calls{busy, busy, good}, "3m3s call_done ask\n3m3s finished done\n", "r7"},
		"never":                               {calls{busy}, "3m3s call_failed ask to ops\n", nil},
		"never, and for another cause":        {calls{busy, {Node: "ask", Error: "no route"}}, "3m1s call_failed ask to ops\n", nil},
		"with what is no fault of the moment": {calls{{Node: "ask", Status: 404}}, "0s call_failed ask to ops\n", nil},
		"with too much":                       {calls{{Node: "ask", Status: 200, Headers: map[string]string{"x-run": chars(300)}}}, "0s call_failed ask to ops\n", nil},
		"as if all were well":                 {nil, "0s call_done ask\n0s finished done\n", ""}, // which says nothing of a run
	} {
		t.Run(name, func(t *testing.T) {
			r, err := ticket.Simulate(drafted(t, polled, nil), ticket.Script{Calls: c.calls}, monday)
			require.NoError(t, err)
			require.Equal(t, c.want, path(r))
			require.Equal(t, c.run, r.Fields["run"])
			require.Len(t, r.Calls, 1, "to its receiver it is one request")
			require.Empty(t, r.Refused)
		})
	}
}

// A request that nobody waits for any more is given up, and makes no further attempt.
func TestASimulatedRequestIsGivenUpWhereTheTicketLeavesItsNode(t *testing.T) {
	d := drafted(t, `
- {id: both, name: Both, type: parallel, branches: [{name: l, next: ask}, {name: r, next: look}], join: met}
- {id: ask, name: Ask, type: call, call: {url: 'https://a.example.com', retry: {interval: 1m}}, next: met}
- {id: look, name: Look, type: approval, processors: {persons: [ann]}, reject: {then: back, to: both}, next: met}
- {id: met, name: Met, type: join, next: done}
- {id: done, name: Done, type: end}`, nil)
	vote := func(action flow.Action, after string) ticket.ScriptedAct {
		return ticket.ScriptedAct{After: after, Act: flow.Act{Node: "look", Action: action, Actor: "ann"}}
	}
	r, err := ticket.Simulate(d, ticket.Script{
		Answers: []ticket.ScriptedAct{vote(flow.Reject, "30s"), vote(flow.Approve, "10s")},
		Calls:   []ticket.ScriptedCall{{Node: "ask", Status: 503}, {Node: "ask", Status: 503}, {Node: "ask", Status: 200}, {Node: "ask", Status: 404}},
	}, monday)
	require.NoError(t, err)
	require.Equal(t, `0s entered look to ann
30s voted look by ann
30s went_back look by ann to both
30s cancelled ask
30s entered look to ann
40s voted look by ann
1m30s call_done ask
1m30s finished done
`, path(r))
	require.Len(t, r.Calls, 2)
}

// What happens to the ticket as a whole is part of a script: while it is suspended nobody acts and no clock runs, and who closes it by hand approves
// nothing.
func TestASimulatedTicketIsSuspendedAndClosed(t *testing.T) {
	d := drafted(t, `
- {id: vote, name: Vote, type: approval, processors: {persons: [ann]}, deadline: [{after: 2h, do: remind}], next: work}
- {id: work, name: Work, type: task, processors: {persons: [bob]}, next: done}
- {id: done, name: Done, type: end}`, nil)
	whole := func(action ticket.Action, after string) ticket.ScriptedAct {
		return ticket.ScriptedAct{After: after, Act: flow.Act{Action: flow.Action(action), Actor: "root", Comment: "why not"}}
	}
	vote := func(after string) ticket.ScriptedAct {
		return ticket.ScriptedAct{After: after, Act: flow.Act{Node: "vote", Action: flow.Approve, Actor: "root", OnBehalf: "ann", Admin: true}}
	}
	r, err := ticket.Simulate(d, ticket.Script{Answers: []ticket.ScriptedAct{
		whole(ticket.Suspend, "1h"), whole(ticket.Unsuspend, "11h"), whole(ticket.Close, "1d"), vote("2h"), vote("13h"),
	}}, monday)
	require.NoError(t, err)
	require.Equal(t, `0s entered vote to ann
12h0m0s reminded vote to ann
13h0m0s voted vote by root
13h0m0s entered work to bob
24h0m0s cancelled work
`, path(r))
	require.Equal(t, []ticket.Mistake{{At: monday.Add(2 * time.Hour), Answer: 3, Why: "the ticket is suspended"}}, r.Refused)
	require.Equal(t, &flow.Ending{Status: flow.Completed, Why: "the ticket was closed before its process came to its end"}, r.Ending)

	r, err = ticket.Simulate(d, ticket.Script{Answers: []ticket.ScriptedAct{whole(ticket.Suspend, "1h")}}, monday)
	require.NoError(t, err)
	require.True(t, r.Suspended)
	require.Equal(t, monday.Add(time.Hour), r.Until, "and rests there")
	require.Empty(t, r.Timers)
}

// A report is an answer of the API: it has to be JSON in and out.
func TestAReportIsPlainData(t *testing.T) {
	r, err := ticket.Simulate(draft(), ticket.Script{Answers: []ticket.ScriptedAct{{Act: flow.Act{Node: "accept", Action: flow.Accept, Actor: "ann"}}}}, monday)
	require.NoError(t, err)
	raw, err := json.Marshal(r)
	require.NoError(t, err)
	var back ticket.Simulation
	require.NoError(t, json.Unmarshal(raw, &back))
	again, err := json.Marshal(back)
	require.NoError(t, err)
	require.Equal(t, string(raw), string(again))
	require.Equal(t, "solve", back.Rests[0].Node)
}

// A simulation takes of an answer what a ticket takes: all of it, or nothing.
func TestASimulatedAnswerThatIsTooLargeFailsTheCall(t *testing.T) {
	d := drafted(t, `
- {id: c, name: C, type: call, call: {url: 'https://h/x', answer: {s: body}}, fields: [{key: s, type: TEXT}], processors: {persons: [ops]}, next: done}
- {id: done, name: Done, type: end}`, nil)
	for size, why := range map[int]string{flow.MaxAnswer: "", flow.MaxAnswer + 1: "HTTP 200: the answer has 65537 bytes; at most 65536 are taken"} {
		text := strings.Repeat("x", size-2)
		r, err := ticket.Simulate(d, ticket.Script{Calls: []ticket.ScriptedCall{{Node: "c", Status: 200, Body: `"` + text + `"`}}}, monday)
		require.NoError(t, err)
		if why == "" {
			require.Equal(t, text, r.Fields["s"])
			continue
		}
		require.Len(t, r.Rests, 1)
		require.Contains(t, r.Rests[0].Problem, why)
	}
}

func TestAWaitBetweenMicrosecondsIsSimulated(t *testing.T) {
	d := drafted(t, `
- {id: w, name: W, type: wait, until: WHEN, next: done}
- {id: done, name: Done, type: end}
fields: [{key: WHEN, type: DATETIME}]`, map[string]any{"WHEN": "2026-03-02T12:00:00.000000001Z"})
	r, err := ticket.Simulate(d, ticket.Script{}, monday)
	require.NoError(t, err)
	require.False(t, r.Endless)
	require.Equal(t, ticket.Completed, r.Status)
	require.Equal(t, 3*time.Hour+time.Microsecond, r.Until.Sub(r.Began))
}

// Groups, managers and the systems that are asked for people say what the script says.
func TestASimulationFindsPeople(t *testing.T) {
	source := `
- {id: a, name: A, type: approval, rule: all, processors: {groups: [board, none]}, next: b}
- {id: b, name: B, type: approval, processors: {manager_of: opener}, deadline: [{after: 1h, do: reassign, to: {groups: [board]}}], next: c}
- {id: c, name: C, type: approval, rule: all, processors: {http: {url: 'https://who/${opener}', answer: {persons: body.people}}}, next: d}
- {id: d, name: D, type: approval, processors: {groups: [none]}, next: over}
- {id: over, name: Over, type: end}`
	r, err := ticket.Simulate(drafted(t, source, nil), ticket.Script{
		Groups: map[string][]string{"board": {"ann", "bob", "ann"}}, Managers: map[string]string{"olga": "boss"},
		Answers: []ticket.ScriptedAct{
			{Act: flow.Act{Node: "a", Action: flow.Approve, Actor: "ann"}}, {Act: flow.Act{Node: "a", Action: flow.Approve, Actor: "bob"}},
			{After: "2h", Act: flow.Act{Node: "b", Action: flow.Approve, Actor: "bob"}},
			{After: "30m", Act: flow.Act{Node: "c", Action: flow.Retry, Actor: "root", Admin: true}},
			{After: "50m", Act: flow.Act{Node: "c", Action: flow.Approve, Actor: "joe"}},
		},
		Calls: []ticket.ScriptedCall{{Node: "c", Status: 503}, {Node: "c", Status: 200}, {Node: "c", Status: 200, Body: `{"people":["joe"]}`}},
	}, monday)
	require.NoError(t, err)
	require.Empty(t, r.Refused)
	require.Empty(t, r.Unused)
	require.Equal(t, `0s entered a to ann,bob
0s found a to ann,bob
0s found a
0s voted a by ann
0s voted a by bob
0s entered b to boss
0s found b to boss
1h0m0s reassigned b to ann,bob
1h0m0s found b to ann,bob
2h0m0s voted b by bob
2h0m10s call_failed c
2h30m0s retried c by root
2h30m0s call_done c to joe
2h30m0s found c to joe
2h50m0s voted c by joe
2h50m0s found d
`, path(r))
	require.Equal(t, []string{"https://who/olga", "https://who/olga"}, []string{r.Calls[0].URL, r.Calls[1].URL})
	require.Equal(t, "nobody is asked, for the group none, which is not known: an admin has to reassign it", r.Rests[0].Problem)
}

// TestASimulationKnowsWhoIsAbsent: the deputy is asked when the absence begins, and no longer when it ends; where the deputy is absent as well, that one's deputy is.
func TestASimulationKnowsWhoIsAbsent(t *testing.T) {
	def, faults := flow.Parse([]byte(`
key: asking
name: Asking
nodes:
  - {id: v, name: Vote, type: approval, rule: all, processors: {persons: [ann, bob]}, next: w}
  - {id: w, name: Work, type: task, processors: {persons: [ann]}, next: over}
  - {id: over, name: Over, type: end}
`))
	require.Empty(t, faults)
	d := ticket.Draft{Channel: ticket.ChannelIssue, App: "demo", Origin: "o", Title: "t", Service: "asking", Definition: &def}
	sim, err := ticket.Simulate(d, ticket.Script{
		Absences: []ticket.ScriptedAbsence{{Person: "ann", Deputy: "deb", After: "1h", For: "4h"}, {Person: "deb", Deputy: "dan", After: "2h", For: "1h"}, {Person: "bob", Deputy: "zoe", After: "100h"}},
		Answers: []ticket.ScriptedAct{{Act: flow.Act{Action: flow.Approve, Node: "v", Actor: "dan"}, After: "150m"}, {Act: flow.Act{Action: flow.Approve, Node: "v", Actor: "bob"}, After: "160m"},
			{Act: flow.Act{Action: flow.Submit, Node: "w", Actor: "deb"}, After: "3h"}, {Act: flow.Act{Action: flow.Submit, Node: "w", Actor: "ann"}, After: "4h"}},
	}, monday)
	require.NoError(t, err)
	var said []string
	for _, e := range sim.Path {
		if e.Kind == flow.StandsIn || e.Kind == flow.StandsDown || e.For != "" {
			said = append(said, fmt.Sprintf("%s %s %s for %s %v", e.At.Sub(sim.Began), e.Kind, e.Node, e.For, append(e.To, e.Who)))
		}
	}
	require.Equal(t, []string{
		"1h0m0s stands_in v for ann [deb ]", "2h0m0s stands_in v for ann [dan ]", "2h30m0s voted v for ann [dan]", "2h40m0s stands_in w for ann [dan ]", "3h0m0s stands_down w for ann [dan ]",
		"3h0m0s stands_in w for ann [deb ]", "5h0m0s stands_down w for ann [deb ]",
	}, said)
	require.Len(t, sim.Refused, 1, "she is back")
	require.Equal(t, ticket.Completed, sim.Status)
	_, err = ticket.Simulate(d, ticket.Script{Absences: []ticket.ScriptedAbsence{{Person: "ann", After: "soon"}}}, monday)
	require.Equal(t, "script.absences[0].after", ticket.AsError(err).Field)
}

// TestNoClockGoesBeyondWhatCanBeWritten: what is played at the end of all years is a report like any other.
func TestNoClockGoesBeyondWhatCanBeWritten(t *testing.T) {
	last := time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
	d := drafted(t, `
- {id: w, name: W, type: wait, for: 5d, next: v}
- {id: v, name: V, type: approval, processors: {persons: [ann]}, deadline: [{after: 1d, do: remind}, {after: 2d, do: approve}], fields: [{key: when, type: DATETIME}], next: c}
- {id: c, name: C, type: call, call: {url: 'https://a.example.com'}, next: t}
- {id: t, name: T, type: task, processors: {persons: [ann]}, next: done}
- {id: done, name: Done, type: end}`, nil)
	r, err := ticket.Simulate(d, ticket.Script{
		Absences: []ticket.ScriptedAbsence{{Person: "ann", Deputy: "bob", After: "1d", For: "3650d"}},
		Answers: []ticket.ScriptedAct{{Act: flow.Act{Node: "v", Action: flow.Approve, Actor: "ann", Fields: flow.Values{"when": "9999-12-31T23:59:59-05:00"}}},
			{After: "3650d", Act: flow.Act{Node: "t", Action: flow.Submit, Actor: "ann"}}},
		Calls: []ticket.ScriptedCall{{Node: "c", After: "9d", Status: 200, Body: "{}"}},
	}, last.Add(-time.Hour))
	require.NoError(t, err)
	_, err = json.Marshal(r)
	require.NoError(t, err)
	require.False(t, r.Endless)
	require.Equal(t, last, r.Until)
	require.Len(t, r.Refused, 1, "what a ticket refuses is refused here")
	require.Contains(t, r.Refused[0].Why, "when: must be within the years 0 to 9999 in UTC")
	require.Equal(t, ticket.Completed, r.Status)

	for _, at := range []time.Time{last.Add(time.Hour), time.Date(-1, 12, 31, 0, 0, 0, 0, time.UTC)} {
		_, err = ticket.Simulate(d, ticket.Script{}, at)
		refusal(t, err, ticket.Invalid, "start")
	}
}
