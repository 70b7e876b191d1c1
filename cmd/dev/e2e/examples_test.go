package e2e

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
	"signalbox/flow"
	"signalbox/ticket"
)

// filled fills in a form with something that fits.
func filled(fields []flow.Field) map[string]any {
	out := map[string]any{}
	for _, f := range fields {
		switch f.Type {
		case flow.Int:
			out[f.Key] = 12
		case flow.Bool:
			out[f.Key] = true
		case flow.Date:
			out[f.Key] = "2026-05-04"
		case flow.DateTime:
			out[f.Key] = "2026-05-04 03:02:01" // a wait until then is over at once
		case flow.Select, flow.Radio, flow.Checkbox, flow.Multiselect:
			out[f.Key] = f.Choice[len(f.Choice)-1].Key
		case flow.Member, flow.Members:
			out[f.Key] = "manfred"
		case flow.Link:
			out[f.Key] = "https://example.com"
		default:
			out[f.Key] = "something"
		}
	}
	return out
}

// next says what somebody does at the first node that waits for a person.
func (v issueView) next() (act flow.Act, any bool) {
	for _, n := range v.CurrentNodes {
		if len(n.Actions) == 0 {
			continue
		}
		who := "anybody"
		if len(n.Pending) > 0 {
			who = n.Pending[0]
		}
		act := flow.Act{Node: n.ID, Actor: who, Action: n.Actions[0], Comment: "fine"}
		switch {
		case len(n.Processors) == 0 && !n.Anyone:
			act.Action, act.Actor, act.Admin, act.Targets = flow.Reassign, "admin", true, []string{"somebody"}
		case act.Action == flow.Assign:
			act.Targets = []string{"worker"}
		case act.Action != flow.Claim:
			act.Fields = filled(n.Fields)
			act.Pass = true
		}
		return act, true
	}
	return flow.Act{}, false
}

// parameter is what the house API calls the rest of an act.
func parameter(a flow.Act) map[string]any {
	p := map[string]any{"comment": a.Comment, "targets": a.Targets, "fields": a.Fields}
	switch a.Action {
	case flow.Confirm:
		p["virtual_confirm_result"], p["virtual_confirm_comment"] = a.Pass, a.Comment
	case flow.CommitSolution:
		p["mtm_type"], p["is_service_interrupt"], p["cause"], p["solution"] = "inc_type_p_config_issues", false, "a cause", "a solution"
	}
	return p
}

var (
	waitFor = regexp.MustCompile(`, for: [0-9a-z]+`)
	hole    = regexp.MustCompile(`\$\{[^}]*\}`)
)

// Every example is published, run to its end by people who say yes, and simulated with what they did: the simulator, which has no effects, and
// the workflow tell the same story.
func TestExamples(t *testing.T) {
	t.Parallel()
	d := sharedDev(t)
	c := d.caller()
	r := harness.NewReceiver(t)
	base, err := url.Parse(r.URL("/"))
	require.NoError(t, err)
	names, err := filepath.Glob(filepath.Join(root, "examples", "*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, names)
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			raw, err := os.ReadFile(name)
			require.NoError(t, err)
			c.publish(t, string(raw)) // as it stands

			// And again with receivers and waits that are not somebody else's.
			source := regexp.MustCompile(`https://[a-z.]+\.example\.com`).ReplaceAllString(string(raw), "http://"+base.Host)
			source = waitFor.ReplaceAllString(source, ", for: 1s")
			def, faults := flow.Parse([]byte(source))
			require.Empty(t, faults)
			version := c.publish(t, source)
			var calls []ticket.ScriptedCall
			for _, n := range def.Nodes {
				if n.Type == flow.Call {
					answered := harness.Response{Status: 202, Body: `{"run_id":"run-1","healthy":false}`}
					calls = append(calls, ticket.ScriptedCall{Node: n.ID, Status: answered.Status, Body: answered.Body})
					at, err := url.Parse(hole.ReplaceAllString(n.Call.URL, "something"))
					require.NoError(t, err)
					r.Answer(at.Path, answered)
				}
			}
			form := filled(def.Fields)
			number := c.openService(t, def.Key, form)
			require.Equal(t, version, c.issue(t, number).ServiceVersion)
			var acts []flow.Act
			harness.Until(t, def.Key+" comes to its end", 60*time.Second, func() error {
				for {
					v := c.issue(t, number)
					if v.Status == "CLOSED" {
						return nil
					}
					act, any := v.next()
					if !any {
						return fmt.Errorf("it stands at %+v", v.CurrentNodes)
					}
					require.Less(t, len(acts), 50)
					c.act(t, number, act.Actor, string(act.Action), act.Node, parameter(act))
					acts = append(acts, act)
				}
			})
			v := c.issue(t, number)
			require.Equal(t, "completed", v.Phase)
			happened := c.happened(t, number)
			require.GreaterOrEqual(t, len(acts), 2, "%v", happened)
			t.Logf("%s: %d acts, %d requests, %d happenings", def.Key, len(acts), len(r.Requests("")), len(happened))

			var answers []ticket.ScriptedAct
			for _, act := range acts {
				scripted := ticket.ScriptedAct{Act: act}
				if act.Action == flow.CommitSolution {
					scripted.Solution = &ticket.Solution{Type: "inc_type_p_config_issues", Cause: "a cause", Text: "a solution"}
				}
				answers = append(answers, scripted)
			}
			report := result[ticket.Simulation](t, c.simulated(t, map[string]any{"service": def.Key, "version": version, "opener": "opal", "fields": form,
				"script": ticket.Script{Answers: answers, Calls: calls}}))
			require.Empty(t, report.Refused)
			require.Empty(t, report.Unused)
			require.True(t, report.Ending.Status == flow.Completed && report.Ending.ApproveResult, "%+v", report.Ending)
			var told []string
			for _, m := range report.Path {
				told = append(told, line(m.LogEntry))
			}
			slices.Sort(told)
			slices.Sort(happened)
			require.Equal(t, happened, told)
			kept, err := json.Marshal(v.Fields)
			require.NoError(t, err)
			simulated, err := json.Marshal(report.Fields)
			require.NoError(t, err)
			require.JSONEq(t, string(kept), string(simulated))
			require.Contains(t, c.must(t, "GET", "/api/service/"+def.Key+"/diagram.svg", nil).body, "<svg")
		})
	}
}

// simulated asks for a simulation. Durations come back as definitions spell them; nothing here looks at them.
func (c *caller) simulated(t testing.TB, body any) answer {
	t.Helper()
	a := c.must(t, "POST", "/api/service/simulate", body)
	var v struct {
		Result map[string]json.RawMessage `json:"result"`
	}
	require.NoError(t, json.Unmarshal([]byte(a.body), &v))
	delete(v.Result, "calls")
	raw, err := json.Marshal(v)
	require.NoError(t, err)
	return answer{a.status, a.header, string(raw)}
}
