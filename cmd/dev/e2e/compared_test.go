package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
	"signalbox/flow"
	"signalbox/ticket"
)

const comparison = `
key: compared
name: Compared
fields: [{key: amount, type: INT, required: true}]
nodes:
  - {id: vote, name: Vote, type: approval, rule: n-of-m, n: 2, processors: {persons: [ann, bob, cat]}, reject: {then: back, to: redo}, next: book}
  - {id: redo, name: Redo, type: task, processors: {opener: true}, fields: [{key: amount, type: INT, required: true}], next: vote}
  - id: book
    name: Book
    type: call
    call: {url: 'HOST?amount=${fields.amount}', body: {amount: '${fields.amount}', by: '${opener}'}, retry: {interval: 1s}, answer: {receipt: body.receipt}}
    fields: [{key: receipt, type: INT}]
    processors: {persons: [ops]}
    next: last
  - {id: last, name: Last, type: approval, rule: all, processors: {persons: [dan, eve]}, next: over}
  - {id: over, name: Over, type: end}
`

// What a simulation says of a script is what becomes of a ticket when people do the same over the API: the path with every vote and comment, the refusals, the
// requests, the fields to the digit, how it ended, and whether it was approved. Package workflows holds the rules to this for processes at random.
func TestASimulationIsWhatHappensByHand(t *testing.T) {
	t.Parallel()
	d := sharedDev(t)
	c := d.caller()
	r := harness.NewReceiver(t)
	answers := []harness.Response{{Status: http.StatusServiceUnavailable}, {Status: http.StatusCreated, Body: `{"receipt":7615917337495251231}`}}
	vote := func(who string, action flow.Action, node, comment string) flow.Act {
		return flow.Act{Action: action, Node: node, Actor: who, Comment: comment}
	}
	for name, acts := range map[string][]flow.Act{
		"approved": {vote("ann", flow.Approve, "vote", "fine"), vote("bob", flow.Reject, "vote", "too much"), vote("cat", flow.Approve, "vote", ""),
			vote("dan", flow.Approve, "last", ""), vote("zoe", flow.Approve, "last", "me too"), vote("eve", flow.Approve, "last", "at last")},
		"sent back, and rejected": {vote("ann", flow.Reject, "vote", "no"), vote("ann", flow.Reject, "vote", "twice"), vote("bob", flow.Reject, "vote", "nor I"),
			{Action: flow.Submit, Node: "redo", Actor: "opal", Fields: flow.Values{"amount": json.Number("9007199254740993")}},
			vote("cat", flow.Approve, "vote", ""), vote("ann", flow.Approve, "vote", ""), vote("dan", flow.Reject, "last", "never"), vote("eve", flow.Approve, "last", "")},
	} {
		t.Run(name, func(t *testing.T) {
			path := "/" + strings.Fields(name)[0]
			r.Answer(path, answers...)
			version := c.publish(t, strings.Replace(comparison, "HOST", r.URL(path), 1))
			form := map[string]any{"amount": json.Number("9223372036854775807")}

			number := c.openService(t, "compared", form)
			var refused []string
			for _, act := range acts {
				harness.Until(t, "it stands at "+act.Node, time.Minute, func() error {
					nodes := c.issue(t, number).CurrentNodes
					for _, n := range nodes {
						if n.ID == act.Node {
							return nil
						}
					}
					return fmt.Errorf("it stands at %+v", nodes)
				})
				said, err := c.send(t.Context(), "POST", "/api/issue/"+number+"/handle", "", handled(act.Actor, string(act.Action), act.Node, parameter(act)))
				require.NoError(t, err)
				if said.status != http.StatusOK {
					refused = append(refused, strings.ReplaceAll(said.body, `\"`, `"`))
				}
			}
			var byHand outcome
			var issue struct {
				Phase  string
				Fields json.RawMessage
			}
			require.NoError(t, json.Unmarshal([]byte(c.must(t, "GET", "/api/issue/"+number, nil).body), &issue))
			byHand.Status, byHand.Fields = issue.Phase, exact(t, string(issue.Fields))
			byHand.Approved = itsm{c, t}.results(number)[0]["approve_result"] == true
			for _, e := range items[struct {
				ProcessLog []flow.LogEntry `json:"happenings"`
			}](t, c.must(t, "GET", "/api/issue/"+number+"/timeline?limit=200", nil)) {
				byHand.Path = append(byHand.Path, e.ProcessLog...)
			}
			attempts := r.Requests(path)
			for i, request := range attempts {
				if i == 0 || request.Header.Get("Idempotency-Key") != attempts[i-1].Header.Get("Idempotency-Key") {
					byHand.Requests = append(byHand.Requests, fmt.Sprintf("%s %s?%s %s", request.Method, r.URL(request.Path), request.Query, request.Body))
				}
			}

			script := ticket.Script{}
			for _, act := range acts {
				script.Answers = append(script.Answers, ticket.ScriptedAct{After: "1h", Act: act})
			}
			for _, a := range answers {
				script.Calls = append(script.Calls, ticket.ScriptedCall{Node: "book", Status: a.Status, Body: a.Body})
			}
			said := c.must(t, "POST", "/api/service/simulate", map[string]any{"service": "compared", "version": version, "opener": "opal", "fields": form, "script": script})
			report := result[struct {
				Path    []flow.LogEntry
				Calls   []struct{ Method, URL, Body string }
				Refused []ticket.Mistake
				Unused  []int
				Ending  *flow.Ending
				Fields  json.RawMessage
			}](t, said)
			require.NotNil(t, report.Ending, said.body)
			require.Empty(t, report.Unused)
			simulated := outcome{Path: report.Path, Status: string(report.Ending.Status), Approved: report.Ending.ApproveResult, Fields: exact(t, string(report.Fields))}
			for _, call := range report.Calls {
				simulated.Requests = append(simulated.Requests, fmt.Sprintf("%s %s %s", call.Method, call.URL, call.Body))
			}
			require.Equal(t, byHand, simulated)
			require.Len(t, refused, len(report.Refused))
			for i, mistake := range report.Refused {
				require.Contains(t, refused[i], mistake.Why)
			}
			require.Equal(t, []any{"completed", name == "approved", 1, 1}, []any{byHand.Status, byHand.Approved, len(refused), len(byHand.Requests)})
			require.Len(t, attempts, 2)
		})
	}
}

// outcome is what a simulation and a ticket have in common.
type outcome struct {
	Path     []flow.LogEntry
	Status   string
	Approved bool
	Fields   any
	Requests []string
}
