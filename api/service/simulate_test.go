package service_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/api/apitest"
	"signalbox/flow"
	"signalbox/ticket"
)

type report struct {
	Path, Notifications []ticket.TimedEntry
	Timers              []flow.Timer
	Calls               []struct{ Node, Method, URL, Body, Timeout string }
	Refused             []ticket.Mistake
	Rests               []flow.Asked
	Ending              *flow.Ending
	Endless             bool
	Fields              map[string]any
	Began, Until        time.Time
	Deliveries          []struct {
		At                   time.Time
		Format, Type, Status string
		Body                 json.RawMessage
	}
}

func TestSimulatedWithoutAnyEffect(t *testing.T) {
	b := setup(t)
	b.Result(b.yaml("POST", "/api/service", leave), nil)
	var def map[string]any
	b.Do("GET", "/api/service/leave", nil).Into(200, &def)
	var bodies []map[string]any
	for _, what := range []map[string]any{{"definition": leave}, {"definition": def}, {"service": "leave"}, {"service": "leave", "version": 1}} {
		what["opener"] = "li"
		what["fields"] = map[string]any{"days": 3}
		what["script"] = map[string]any{
			"answers": []any{
				map[string]any{"node": "lead", "action": "approve", "actor": "nobody"},
				map[string]any{"node": "lead", "after": "90m", "action": "approve", "actor": "wang", "comment": "同意"},
			},
			"calls": []any{map[string]any{"node": "book", "after": "5s", "status": 201}},
		}
		bodies = append(bodies, what)
	}
	for _, body := range bodies {
		var r report
		b.Result(b.As(apitest.Reader).Do("POST", "/api/service/simulate", body), &r)
		require.Equal(t, &flow.Ending{Status: flow.Completed, ApproveResult: true, Why: `every approval was passed: "组长" was approved by wang`}, r.Ending)
		require.Equal(t, start, r.Began)
		require.Equal(t, start.Add(90*time.Minute+5*time.Second), r.Until)
		require.Len(t, r.Timers, 1)
		require.Equal(t, start.Add(time.Hour), r.Timers[0].At)
		require.Equal(t, "https://hr.example.com/leave", r.Calls[0].URL)
		require.JSONEq(t, `{"days":3}`, r.Calls[0].Body)
		require.Equal(t, "10s", r.Calls[0].Timeout)
		require.Contains(t, r.Refused[0].Why, "wang")
		var kinds []string
		for _, m := range r.Path {
			kinds = append(kinds, m.Kind)
		}
		require.Subset(t, kinds, []string{flow.Entered, flow.Reminded, flow.Voted, flow.CallDone, flow.Finished})
		require.Equal(t, []string{"wang"}, r.Notifications[0].To)

		// Who follows the stream hears of every move, an address of the ticket and its callback of the end.
		var sent []string
		for _, d := range r.Deliveries {
			sent = append(sent, strings.TrimSpace(fmt.Sprintf("%s %s %s %s %s", d.At.Sub(start), d.Format, d.Type, d.Status, d.Body)))
		}
		require.Equal(t, []string{
			"0s event status OPEN", "1h0m0s event node triggered", "1h30m0s event node triggered",
			`1h30m5s issue status  {"details":{"from":"OPEN","to":"CLOSED"},"type":"status"}`,
			`1h30m5s itsm FINISHED  {"approve_result":true,"current_status":"FINISHED","last_approver":"wang"}`,
			"1h30m5s event status CLOSED",
		}, sent)
	}
	page, err := b.back.Tickets(t.Context(), "north", ticket.Filter{Limit: 1})
	require.NoError(t, err)
	require.Empty(t, page.Items)

	var r report
	b.Result(b.Do("POST", "/api/service/simulate", `{"service":"leave","fields":{"days":1},"state_processors":{"lead":["zhao"]},"start":"2026-05-01T00:00:00+08:00"}`), &r)
	require.Equal(t, []string{"zhao"}, r.Rests[0].Pending)
	require.Nil(t, r.Ending)
	require.Equal(t, time.Date(2026, 4, 30, 16, 0, 0, 0, time.UTC), r.Began)
}

func TestASimulationWithoutEndIsCutOff(t *testing.T) {
	b := setup(t)
	var r report
	b.Result(b.Do("POST", "/api/service/simulate", map[string]any{"definition": `
key: poll
name: Poll
nodes:
  - {id: rest, name: Rest, type: wait, for: 1s, next: ask}
  - {id: ask, name: Ask, type: branch, cases: [{when: 'false', next: over}], default: rest}
  - {id: over, name: Over, type: end}
`}), &r)
	require.True(t, r.Endless)
	require.Len(t, r.Timers, ticket.MaxSimulated)
}

func TestSimulationsThatAreWrong(t *testing.T) {
	b := setup(t)
	b.Result(b.yaml("POST", "/api/service", leave), nil)
	many := strings.TrimSuffix(strings.Repeat(`{"node":"lead","action":"approve"},`, 201), ",")
	for name, c := range map[string]struct{ body, says string }{
		"nothing":             {`{}`, "definition: either this or service"},
		"both":                {`{"definition":"x","service":"leave"}`, "definition: either this or service"},
		"no service":          {`{"service":"nothing"}`, "service: there is no such service"},
		"no version":          {`{"service":"leave","version":9}`, "version: the service has no such version"},
		"faulty":              {`{"definition":"key: x"}`, "faults"},
		"faulty object":       {`{"definition":{"key":"x"}}`, "faults"},
		"of another type":     {`{"definition":7}`, "must be a mapping"},
		"too large":           {`{"definition":"` + strings.Repeat("x", ticket.MaxDefinition+1) + `"}`, "definition: must have at most"},
		"form":                {`{"service":"leave","fields":{"days":"many"}}`, "fields.days"},
		"form left out":       {`{"service":"leave"}`, "fields.days: is required"},
		"form of another":     {`{"service":"leave","fields":{"days":1,"x":1}}`, "fields.x: the form has no such field"},
		"nobody's node":       {`{"service":"leave","fields":{"days":1},"state_processors":{"book":["x"],"nowhere":["x"]}}`, "state_processors.book: a call asks nobody; state_processors.nowhere: the service has no such node"},
		"script without node": {`{"service":"leave","fields":{"days":1},"script":{"answers":[{"action":"approve"}]}}`, "script.answers[0].node: is required"},
		"script's duration":   {`{"service":"leave","fields":{"days":1},"script":{"calls":[{"node":"book","after":"soon"}]}}`, "script.calls[0].after"},
		"script of numbers":   {`{"service":"leave","script":{"answers":[1]}}`, "script.answers[0]: must be an object"},
		"long script":         {`{"service":"leave","script":{"answers":[` + many + `]}}`, "script.answers: must have at most 200"},
		"start":               {`{"service":"leave","start":"soon"}`, "start"},
		"start never":         {`{"service":"leave","fields":{"days":1},"start":"9999-12-31T23:59:59-05:00"}`, "start: must be within the years 0 to 9999 in UTC"},
		"start before all":    {`{"service":"leave","fields":{"days":1},"start":"0000-01-01T00:00:00+05:00"}`, "start: must be within the years 0 to 9999 in UTC"},
		"version beyond":      {`{"service":"leave","version":3000000000}`, "version: the service has no such version"},
	} {
		t.Run(name, func(t *testing.T) {
			b := bench{t, b.On(t), b.back}
			b.Refused(b.Do("POST", "/api/service/simulate", c.body), 400, c.says)
		})
	}
}

// Numbers of a form, of an act and of an answer keep their digits, as those of tickets do.
func TestASimulationKeepsEveryDigit(t *testing.T) {
	b := setup(t)
	var r struct{ Fields json.RawMessage }
	b.Result(b.Do("POST", "/api/service/simulate", `{"definition": "key: exact\nname: Exact\nfields: [{key: a, type: INT}, {key: c, type: INT}]\nnodes:\n`+
		`- {id: fill, name: Fill, type: task, processors: {anyone: true}, fields: [{key: b, type: INT}], next: ask}\n`+
		`- {id: ask, name: Ask, type: call, call: {url: 'https://a.example.com', answer: {c: body.c}}, next: over}\n`+
		`- {id: over, name: Over, type: end}\n", "fields": {"a": 9007199254740993}, "script": {
		"answers": [{"node": "fill", "action": "submit", "actor": "li", "fields": {"b": 7615917337495251231}}],
		"calls": [{"node": "ask", "status": 200, "body": "{\"c\": 9007199254740995}"}]}}`), &r)
	for _, digits := range []string{`"a":9007199254740993`, `"b":7615917337495251231`, `"c":9007199254740995`} {
		require.Contains(t, string(r.Fields), digits)
	}
}
