package flow

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var monday = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func example(t *testing.T, name string) *Process {
	raw, err := os.ReadFile("../examples/" + name + ".yaml")
	require.NoError(t, err)
	return process(t, string(raw))
}

// path tells a report as lines: the time since the beginning, what happened, where, and who was concerned.
func path(r Report) string {
	var b strings.Builder
	for _, m := range r.Path {
		if m.Kind == Left || m.Kind == Entered && len(m.To) == 0 {
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
	p := example(t, "leave_request")
	r, err := p.Simulate(Env{Now: monday, Opener: "olga", Fields: map[string]any{"title": "Holiday", "manager": "mike", "from": "2026-04-01", "days": 15.0}}, Script{
		Answers: []Answer{
			{After: "3d", Act: Act{Node: "manager", Action: Reject, Actor: "mike", Comment: "too long"}},
			{After: "1h", Act: Act{Node: "revise", Action: Submit, Actor: "olga", Fields: map[string]any{"from": "2026-04-01", "days": "12"}}},
			{After: "6d", Act: Act{Node: "manager", Action: Approve, Actor: "hr-desk"}},
			{After: "1h", Act: Act{Node: "hr", Action: Approve, Actor: "hugo"}},
			{After: "2h", Act: Act{Node: "hr", Action: Approve, Actor: "hugo"}},
			{After: "3h", Act: Act{Node: "hr", Action: Approve, Actor: "hana"}},
			{After: "3h", Act: Act{Node: "hr", Action: Approve, Actor: "helen"}},
		},
		Calls: []CallAnswer{{Node: "book", After: "2s", Status: 503}},
	})
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
220h0m2s call_failed book to hr-desk
`, path(r))
	require.Len(t, r.Timers, 3)
	require.Equal(t, []string{"book"}, []string{r.Calls[0].Node})
	require.JSONEq(t, `{"person":"olga","from":"2026-04-01T00:00:00Z","days":12,"approved_by":["hr-desk"]}`, r.Calls[0].Body)
	require.Equal(t, []Mistake{{At: monday.Add(219 * time.Hour), Answer: 4, Why: "operator: hugo has voted already"}}, r.Refused)
	require.Equal(t, []int{6}, r.Unused)
	require.Nil(t, r.Ending)
	require.Equal(t, Failed, r.Rests[0].State)
	require.Equal(t, "HTTP 503 is no success", r.Rests[0].Problem)
	told := 0
	for _, m := range r.Notifications {
		require.NotEmpty(t, m.To)
		told++
	}
	require.Equal(t, 8, told)
}

func TestAChangeWithTwoLevelsIsSimulated(t *testing.T) {
	p := example(t, "change_two_levels")
	yes := func(node, who, after string) Answer {
		return Answer{After: after, Act: Act{Node: node, Action: Approve, Actor: who}}
	}
	env := Env{Now: monday, Opener: "olga", Fields: map[string]any{"title": "Upgrade", "risk": "high", "start": "2026-03-20 22:00:00", "plan": "P"}}
	r, err := p.Simulate(env, Script{Answers: []Answer{
		yes("security", "sam", "1h"),
		{After: "2h", Act: Act{Node: "operations", Action: Claim, Actor: "otto"}},
		{After: "4h", Act: Act{Node: "operations", Action: Confirm, Actor: "otto", Pass: false, Comment: "no rollback"}},
		{After: "1d", Act: Act{Node: "rework", Action: Submit, Actor: "olga", Fields: map[string]any{"plan": "Q"}}},
		{After: "1h", Round: 2, Act: Act{Node: "security", Action: Approve, Actor: "sam"}},
		{After: "2h", Round: 2, Act: Act{Node: "security", Action: Approve, Actor: "sara"}},
		{After: "30h", Act: Act{Node: "operations", Action: Confirm, Actor: "ops-lead", Pass: true, Fields: map[string]any{"rollback": "restore"}}},
		yes("board", "boris", "1h"), {After: "2h", Act: Act{Node: "board", Action: Reject, Actor: "bela"}}, yes("board", "bodo", "3h"), yes("board", "britt", "4h"),
		yes("director", "dora", "1d"),
		{Act: Act{Node: "work", Action: Assign, Actor: "ops-lead", Targets: []string{"otto"}}},
		{After: "2h", Act: Act{Node: "work", Action: CommitSolution, Actor: "otto"}},
		{After: "1h", Act: Act{Node: "check", Action: Confirm, Actor: "olga", Pass: true}},
	}})
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
	require.Equal(t, &Ending{Completed, true, `every approval was passed: "Security review" was approved by sam, sara; "Change board" was approved by boris, bodo, britt; ` +
		`"Director's approval" was approved by dora`}, r.Ending)
	require.Equal(t, "Q", r.Fields["plan"])
	require.Equal(t, Completed, r.Status)
	require.Equal(t, "P", env.Fields["plan"], "a simulation must not touch what it was given")
}

func TestAnIncidentThatMendsItselfIsSimulated(t *testing.T) {
	p := example(t, "incident_auto_remediation")
	fields := map[string]any{"title": "down", "host": "db 1/2", "runbook": "restart"}
	r, err := p.Simulate(Env{Now: monday, Opener: "olga", Fields: fields}, Script{Calls: []CallAnswer{
		{Node: "remedy", After: "3s", Status: 202, Body: `{"run_id":"r/7"}`},
		{Node: "probe", After: "1s", Status: 200, Body: `{"healthy":true}`},
	}})
	require.NoError(t, err)
	require.Equal(t, "https://monitor.example.com/hosts/db%201%2F2/health?run=r%2F7", r.Calls[1].URL)
	require.Equal(t, &Ending{Completed, true, "the process came to its end, and no approval was entered"}, r.Ending)
	require.Equal(t, 5*time.Minute+4*time.Second+72*time.Hour, r.Until.Sub(r.Began), "nobody objected for three days")

	// The machine cannot help: people are called, and silence escalates.
	r, err = p.Simulate(Env{Now: monday, Opener: "olga", Fields: fields}, Script{
		Calls: []CallAnswer{{Node: "remedy", Status: 202, Body: `{"run_id":"r7"}`}, {Node: "probe", Status: 200, Body: `{"healthy":false}`}},
		Answers: []Answer{
			{After: "20m", Act: Act{Node: "accept", Action: Accept, Actor: "duty-manager"}},
			{After: "1h", Act: Act{Node: "solve", Action: CommitSolution, Actor: "duty-manager"}},
			{After: "1h", Act: Act{Node: "confirm", Action: Confirm, Pass: true}},
		}})
	require.NoError(t, err)
	require.Empty(t, r.Refused)
	require.Equal(t, "duty-manager", r.Assignee)
	require.Equal(t, Completed, r.Ending.Status)
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
	p := process(t, month(30))
	synctest.Test(t, func(t *testing.T) { // time passes here only for who waits for it
		began := time.Now()
		r, err := p.Simulate(Env{Now: monday}, Script{})
		require.Zero(t, time.Since(began))
		require.NoError(t, err)
		require.Equal(t, 30*24*time.Hour, r.Until.Sub(r.Began))
		require.Len(t, r.Timers, 60)
		require.Equal(t, Completed, r.Ending.Status)
	})
	work := func(days int) float64 {
		p := process(t, month(days))
		return testing.AllocsPerRun(1, func() { _, _ = p.Simulate(Env{Now: monday}, Script{}) })
	}
	require.Less(t, work(30), 4*3*work(10), "what it costs grows with the days, and hardly faster")
}

func TestASimulationOfAProcessThatPollsForEverIsCutOff(t *testing.T) {
	p := process(t, `
- {id: w, name: W, type: wait, for: 1m, next: b}
- {id: b, name: B, type: branch, cases: [{when: fields.go, next: done}], default: w}
- {id: done, name: Done, type: end}
fields: [{key: go, type: BOOL}]`)
	r, err := p.Simulate(Env{Now: monday}, Script{})
	require.NoError(t, err)
	require.True(t, r.Endless)
	require.Len(t, r.Timers, MaxInputs)
}

func TestAScriptThatCannotBeReadIsRefused(t *testing.T) {
	p := Builtin()[ServiceIncident]
	for why, script := range map[string]Script{
		"answers[0].after: must be a length of time": {Answers: []Answer{{After: "soon", Act: Act{Node: "accept"}}}},
		"answers[0].node: is required":               {Answers: []Answer{{After: "1h"}}},
		"calls[0].after: must be a length of time":   {Calls: []CallAnswer{{After: "later"}}},
	} {
		_, err := p.Simulate(Env{Now: monday}, script)
		require.ErrorContains(t, err, why)
	}
}

// A report is an answer of the API: it has to be JSON in and out.
func TestAReportIsPlainData(t *testing.T) {
	r, err := Builtin()[ServiceIncident].Simulate(Env{Now: monday}, Script{Answers: []Answer{{Act: Act{Node: "accept", Action: Accept, Actor: "ann"}}}})
	require.NoError(t, err)
	raw, err := json.Marshal(r)
	require.NoError(t, err)
	var back Report
	require.NoError(t, json.Unmarshal(raw, &back))
	again, err := json.Marshal(back)
	require.NoError(t, err)
	require.Equal(t, string(raw), string(again))
	require.Equal(t, "solve", back.Rests[0].Node)
}
