package issue_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/api/apitest"
	"signalbox/desk"
	"signalbox/flow"
	"signalbox/ticket"
)

// publish makes a service known, as package service does.
func (b bench) publish(source string) flow.Definition {
	b.T.Helper()
	def, faults := flow.Parse([]byte(source))
	require.Empty(b.T, faults)
	def, err := b.back.PublishService(b.T.Context(), "north", "boss", def)
	require.NoError(b.T, err)
	return def
}

// trip opens an issue of the service in testdata, with these members besides.
func (b bench) trip(more map[string]any) string {
	b.T.Helper()
	b.publish(string(b.sample("trip.yaml")))
	body := map[string]any{"origin": "hr", "title": "去北京", "service": "trip", "opener": "li", "fields": map[string]any{"city": "北京"}}
	for name, value := range more {
		body[name] = value
	}
	var number string
	b.Result(b.Do("POST", "/api/issue", body), &number)
	return number
}

type currentNode struct {
	ID, Name, Type, State, Problem string
	Number                         int64
	Round                          int
	Processors, Pending, Actions   []string
	Anyone                         bool
	Voices                         map[string]int
	Due                            *time.Time
	Fields                         []flow.Field
	Votes                          []struct {
		Who, Comment, By string
		Pass             bool
		At               time.Time
	}
}

func (b bench) nodes(number string) map[string]currentNode {
	b.T.Helper()
	var v struct {
		CurrentNodes []currentNode `json:"current_nodes"`
	}
	b.Do("GET", "/api/issue/"+number, nil).Into(http.StatusOK, &v)
	out := map[string]currentNode{}
	for _, n := range v.CurrentNodes {
		out[n.ID] = n
	}
	return out
}

// act does something at a node.
func (b bench) act(number, who, action, node string, parameter any) apitest.Answer {
	b.T.Helper()
	return b.Do("POST", "/api/issue/"+number+"/handle", map[string]any{"action": action, "operator": who, "node": node, "parameter": parameter})
}

func (b bench) waitingFor(who string) []string {
	b.T.Helper()
	var page struct{ Items []struct{ ID string } }
	b.Result(b.Do("GET", "/api/issue?waiting_for="+who, nil), &page)
	var out []string
	for _, item := range page.Items {
		out = append(out, item.ID)
	}
	return out
}

func TestAnIssueOfAPublishedService(t *testing.T) {
	b := setup(t)
	number := b.trip(nil)
	v := b.read(number)
	require.Equal(t, []any{"trip", float64(1), "li"}, []any{v["service"], v["service_version"], v["opener"]})
	require.Equal(t, map[string]any{"city": "北京", "days": float64(1)}, v["fields"])

	nodes := b.nodes(number)
	boss, front := nodes["boss"], nodes["desk"]
	require.Equal(t, []string{"approval", "active", "领导"}, []string{boss.Type, boss.State, boss.Name})
	require.Equal(t, []string{"wang", "zhao"}, boss.Processors)
	require.Equal(t, []string{"approve", "reject", "add", "deliver"}, boss.Actions)
	require.NotNil(t, boss.Due)
	require.Greater(t, boss.Number, int64(flow.FirstNumber))
	require.Equal(t, []string{"claim"}, front.Actions)
	require.Equal(t, "hotel", front.Fields[0].Key)

	b.Result(b.act(number, "wang", "approve", "boss", map[string]any{"comment": "同意"}), nil)
	b.Refused(b.act(number, "wang", "approve", "boss", nil), 409, "wang has voted already")
	b.Refused(b.act(number, "qian", "approve", "boss", nil), 403, "asks zhao")
	boss = b.nodes(number)["boss"]
	require.Equal(t, []string{"wang", "zhao"}, boss.Processors, "who has voted is still among those asked")
	require.Equal(t, []string{"zhao"}, boss.Pending)
	require.Len(t, boss.Votes, 1)
	require.Equal(t, []any{"wang", true, "同意"}, []any{boss.Votes[0].Who, boss.Votes[0].Pass, boss.Votes[0].Comment})
	require.Empty(t, b.waitingFor("wang"))
	require.Equal(t, []string{number}, b.waitingFor("zhao"))

	b.Result(b.act(number, "zhao", "deliver", "boss", map[string]any{"targets": []string{"zhou"}, "reason": "出差"}), nil)
	b.Refused(b.act(number, "wu", "claim", "desk", nil), 403, "asks qian, sun")
	b.Result(b.act(number, "qian", "claim", "", nil), nil)
	require.Empty(t, b.waitingFor("sun"), "who has lost the claim is not asked any more")
	b.Refused(b.act(number, "qian", "submit", "desk", map[string]any{"fields": map[string]any{"hotel": ""}}), 400, "hotel")
	b.Refused(b.act(number, "qian", "submit", "desk", map[string]any{"fields": map[string]any{"hotel": "a", "x": 1}}), 400, "x")
	b.Result(b.act(number, "qian", "submit", "desk", map[string]any{"fields": map[string]any{"hotel": "北京饭店"}}), nil)
	require.Equal(t, "waiting", b.nodes(number)["joined"].State)

	// A rejection goes back, out of the parallel, and around again; a vote in somebody's name is an admin's.
	b.Refused(b.act(number, "chief", "reject", "boss", map[string]any{"on_behalf": "zhou"}), 403, "on_behalf")
	b.Result(bench{b.T, b.As(apitest.Boss), b.back}.act(number, "chief", "reject", "boss", map[string]any{"on_behalf": "zhou", "comment": "太贵"}), nil)
	nodes = b.nodes(number)
	require.Len(t, nodes, 1)
	require.Equal(t, []string{"li"}, nodes["ask"].Pending)
	b.Result(b.act(number, "li", "submit", "ask", nil), nil)
	require.Empty(t, b.nodes(number)["boss"].Votes, "votes are those of this round")

	type entry struct {
		Type       string
		ProcessLog []flow.LogEntry `json:"happenings"`
		After      map[string]json.RawMessage
	}
	var page struct{ Items []entry }
	b.Result(b.Do("GET", "/api/issue/"+number+"/timeline", nil), &page)
	require.NotContains(t, string(page.Items[0].After["opening"]), `"definition"`, "a definition is read by its version")
	i := slices.IndexFunc(page.Items, func(e entry) bool { return e.Type == "rejected" })
	vote := page.Items[i].ProcessLog[0]
	require.Equal(t, []string{flow.Voted, "chief", "zhou", "太贵"}, []string{vote.Kind, vote.Who, vote.For, vote.Note})
}

func TestWhomACallerNames(t *testing.T) {
	b := setup(t)
	number := b.trip(map[string]any{"state_processors": map[string]any{"boss": []string{"zhou", "wu"}}})
	require.Equal(t, []string{"zhou", "wu"}, b.nodes(number)["boss"].Pending)
	require.Equal(t, []string{number}, b.waitingFor("wu"))
	require.Empty(t, b.waitingFor("wang"))
}

// Whoever repeats an opening whose answer was lost hears it, though the people whom it names could not be named any more.
func TestARepeatedOpeningHasItsAnswerThoughItsServiceHasChanged(t *testing.T) {
	b := setup(t)
	source := string(b.sample("trip.yaml"))
	b.publish(source)
	open := func(key string) apitest.Answer {
		return b.Do("POST", "/api/issue", map[string]any{"origin": "hr", "title": "去北京", "service": "trip", "fields": map[string]any{"city": "北京"},
			"state_processors": map[string]any{"boss": []string{"li"}}}, "X-Idempotency-Key", key)
	}
	first := open("k")
	b.Result(first, nil)
	require.Equal(t, 2, b.publish(strings.NewReplacer("id: boss", "id: chief", "next: boss", "next: chief", "name: boss", "name: chief").Replace(source)).Version)
	again := open("k")
	require.Equal(t, "true", again.Header.Get("X-Idempotency-Replayed"), string(again.Body))
	require.Equal(t, string(first.Body), string(again.Body))
	b.Refused(open("other"), 400, "state_processors.boss: the service has no such node")
	require.Len(t, b.back.Engine.Numbers(), 1)
	b.publish(source)
	second := open("other")
	b.Result(second, nil)
	require.Equal(t, "false", second.Header.Get("X-Idempotency-Replayed"), "the refusal left the key free")
	require.Len(t, b.back.Engine.Numbers(), 2)
}

func TestOpeningsOfServicesThatAreWrong(t *testing.T) {
	b := setup(t)
	b.trip(nil)
	b.publish(`{key: sleep, name: Sleep, fields: [{key: WHEN, type: DATETIME}], nodes: [{id: w, name: W, type: wait, until: WHEN, next: e}, {id: e, name: E, type: end}]}`)
	for name, c := range map[string]struct{ body, says string }{
		"unknown service":       {`"service":"nothing"`, `service: there is no service "nothing"`},
		"service of blanks":     {`"service":" "`, "service: there is no service"},
		"required field":        {`"service":"trip"`, "fields.city: is required"},
		"field of other type":   {`"service":"trip","fields":{"city":"a","days":"many"}`, "fields.days"},
		"unknown field":         {`"service":"trip","fields":{"city":"a","x":1}`, "fields.x: the form has no such field"},
		"fields no object":      {`"service":"trip","fields":[]`, "fields: must be an object"},
		"fields of a built-in":  {`"fields":{"x":1}`, "fields.x: the form has no such field"},
		"unknown node":          {`"service":"trip","fields":{"city":"a"},"state_processors":{"x":["a"]}`, "state_processors.x: the service has no such node"},
		"node that asks nobody": {`"service":"trip","fields":{"city":"a"},"state_processors":{"joined":["a"]}`, "state_processors.joined: a join asks nobody"},
		"nobody named":          {`"service":"trip","fields":{"city":"a"},"state_processors":{"boss":[]}`, "state_processors.boss: must name somebody"},
		"named as text":         {`"service":"trip","fields":{"city":"a"},"state_processors":{"boss":"a"}`, "state_processors.boss: must be an array"},
		"control character":     {`"service":"trip","fields":{"city":"a"},"state_processors":{"boss":["a\u0007"]}`, "state_processors.boss"},
		"never":                 {`"service":"sleep","fields":{"WHEN":"9999-12-31T23:59:59-05:00"}`, "fields.WHEN: must be within the years 0 to 9999 in UTC"},
		"rounded to never":      {`"service":"sleep","fields":{"WHEN":"9999-12-31T23:59:59.9999995Z"}`, "fields.WHEN: must be within the years 0 to 9999 in UTC"},
		"opener too long":       {`"opener":"` + strings.Repeat("名", 256) + `"`, "opener"},
	} {
		t.Run(name, func(t *testing.T) {
			b := bench{t, b.On(t), b.back}
			b.Refused(b.Do("POST", "/api/issue", `{"origin":"a","title":"b",`+c.body+`}`), 400, c.says)
			b.Refused(b.Do("POST", "/api/issue", `{"origin":"a","title":"b",`+c.body+`}`, "X-Idempotency-Key", "k"), 400, c.says)
		})
	}
	b.Refused(b.As(apitest.Stranger).Do("POST", "/api/issue", `{"origin":"a","title":"b","service":"trip","fields":{"city":"a"}}`), 400, "no service")
}

func TestActsThatAreWrong(t *testing.T) {
	b := setup(t)
	number := b.trip(nil)
	for name, c := range map[string]struct {
		action, node, parameter string
		status                  int
		says                    string
	}{
		"two nodes could":     {"reassign", "", `{"targets":["x"]}`, 403, "only an admin"},
		"unknown node":        {"approve", "nowhere", `{}`, 404, "node"},
		"not come to":         {"submit", "ask", `{}`, 409, "has not come to"},
		"not of the node":     {"confirm", "boss", `{"virtual_confirm_result":true,"virtual_confirm_comment":"c"}`, 409, "action"},
		"targets no list":     {"deliver", "boss", `{"targets":"a"}`, 400, "targets: must be an array"},
		"targets left out":    {"deliver", "boss", `{"comment":"c"}`, 400, "targets: is required"},
		"empty target":        {"deliver", "boss", `{"comment":"c","targets":[""]}`, 400, "targets[0]"},
		"many targets":        {"deliver", "boss", `{"comment":"c","targets":[` + strings.TrimSuffix(strings.Repeat(`"a",`, 201), ",") + `]}`, 400, "targets: must have at most 200"},
		"deliver unexplained": {"deliver", "boss", `{"targets":["a"]}`, 400, "comment: is required"},
		"long comment":        {"approve", "boss", `{"comment":"` + strings.Repeat("长", 1001) + `"}`, 400, "comment: must have at most 1000"},
		"fields no object":    {"submit", "desk", `{"fields":1}`, 400, "fields: must be an object"},
		"on behalf":           {"approve", "boss", `{"on_behalf":"zhao"}`, 403, "on_behalf"},
	} {
		t.Run(name, func(t *testing.T) {
			b := bench{t, b.On(t), b.back}
			b.Refused(b.act(number, "wang", c.action, c.node, json.RawMessage(c.parameter)), c.status, c.says)
		})
	}
}

func TestDiagramOfAnIssue(t *testing.T) {
	b := setup(t)
	number := b.trip(nil)
	b.Result(b.act(number, "wang", "approve", "boss", nil), nil)
	answer := b.As(apitest.Reader).Do("GET", "/api/issue/"+number+"/diagram.svg", nil)
	require.Equal(t, http.StatusOK, answer.Status)
	require.Equal(t, "image/svg+xml; charset=utf-8", answer.Header.Get("Content-Type"))
	require.Contains(t, answer.Header.Get("Content-Security-Policy"), "default-src 'none'")
	for _, says := range []string{"<svg", "领导", "current", "done"} {
		require.Contains(t, string(answer.Body), says)
	}
	for _, path := range []string{"/diagram.svg", "/diagram.dot"} {
		first := b.As(apitest.Reader).Do("GET", "/api/issue/"+number+path, nil)
		tag := first.Header.Get("ETag")
		require.Regexp(t, `^W/"[0-9a-f]{32}"$`, tag)
		for _, has := range []string{tag, `"other", ` + tag, strings.TrimPrefix(tag, "W/"), "*"} {
			again := b.As(apitest.Reader).Do("GET", "/api/issue/"+number+path, nil, "If-None-Match", has)
			require.Equal(t, http.StatusNotModified, again.Status, has)
			require.Empty(t, again.Body)
			require.Equal(t, tag, again.Header.Get("ETag"))
			require.Equal(t, "no-cache", again.Header.Get("Cache-Control"))
		}
		other := b.As(apitest.Reader).Do("GET", "/api/issue/"+number+path, nil, "If-None-Match", `W/"other"`)
		require.Equal(t, http.StatusOK, other.Status)
		require.Equal(t, first.Body, other.Body)
		b.Refused(b.As(apitest.Stranger).Do("GET", "/api/issue/"+number+path, nil, "If-None-Match", tag), 404, "no such")
	}

	graph := b.As(apitest.Reader).Do("GET", "/api/issue/"+number+"/diagram.dot", nil)
	require.Equal(t, http.StatusOK, graph.Status)
	require.Equal(t, "text/vnd.graphviz; charset=utf-8", graph.Header.Get("Content-Type"))
	require.Contains(t, string(graph.Body), `"split" [shape=trapezium style="filled,rounded" fillcolor="#e6f4ea" label="分头" tooltip="分头 (parallel, done)"]`, "what is done is marked")
	b.Refused(b.As(apitest.Stranger).Do("GET", "/api/issue/"+number+"/diagram.dot", nil), 404, "no such")
}

func TestMovedToAnotherVersion(t *testing.T) {
	b := setup(t)
	number := b.trip(nil)
	b.Result(b.act(number, "wang", "approve", "boss", map[string]any{"comment": "同意"}), nil)
	b.publish(strings.NewReplacer("id: boss", "id: chief", "next: boss", "next: chief").Replace(string(b.sample("trip.yaml"))))
	require.Equal(t, float64(1), b.read(number)["service_version"], "publishing moves no ticket")

	boss := b.As(apitest.Boss)
	migrate := func(body string, headers ...string) apitest.Answer {
		t.Helper()
		return boss.Do("POST", "/api/issue/"+number+"/migrate", body, headers...)
	}
	var dry struct {
		Possible      bool
		From, Version int
		Reasons       []flow.Reason
		Nodes         []struct{ From, To, State string }
		CurrentNodes  []currentNode `json:"current_nodes"`
	}
	b.Result(migrate(`{"version":2,"operator":"chief","dry_run":true}`), &dry)
	require.False(t, dry.Possible)
	require.Equal(t, []int{1, 2}, []int{dry.From, dry.Version})
	require.Equal(t, "boss", dry.Reasons[0].Node)
	b.Refused(migrate(`{"version":2,"operator":"chief"}`), 409, "boss: it is open")
	b.Result(migrate(`{"version":2,"operator":"chief","nodes":{"boss":"chief"},"dry_run":true}`), &dry)
	require.True(t, dry.Possible)
	require.Empty(t, dry.Reasons)
	require.Contains(t, dry.Nodes, struct{ From, To, State string }{"boss", "chief", "active"})
	var ids []string
	for _, n := range dry.CurrentNodes {
		ids = append(ids, n.ID)
	}
	require.Contains(t, ids, "chief")
	require.Equal(t, float64(1), b.read(number)["service_version"], "a dry run moves nothing")
	require.Len(t, b.timeline(number), 2)

	const real = `{"version":2,"operator":"chief","nodes":{"boss":"chief"},"reason":"新流程"}`
	first := migrate(real, "X-Idempotency-Key", "k")
	b.Result(first, nil)
	again := migrate(real, "X-Idempotency-Key", "k")
	require.Equal(t, first.Body, again.Body)
	require.Equal(t, "true", again.Header.Get("X-Idempotency-Replayed"))
	require.Equal(t, float64(2), b.read(number)["service_version"])
	require.Equal(t, []string{"zhao"}, b.nodes(number)["chief"].Pending, "the vote that was given counts")
	require.Equal(t, "同意", b.nodes(number)["chief"].Votes[0].Comment)
	require.Equal(t, []string{"opened", "approved", "migrated"}, b.timeline(number))
	b.Result(b.act(number, "zhao", "approve", "chief", nil), nil)

	b.Refused(migrate(real), 409, "version 2 already")
	b.Refused(migrate(`{"version":3,"operator":"chief"}`), 400, `version: the service "trip" has no version 3`)
	b.Refused(migrate(`{"operator":"chief"}`), 400, "version: is required")
	b.Refused(migrate(`{"version":1}`), 400, "operator")
	b.Refused(migrate(`{"version":"1","operator":"chief"}`), 400, "version: must be a whole number")
	b.Refused(migrate(`{"version":1,"operator":"chief","nodes":["a"]}`), 400, "nodes: must be an object")
	b.Refused(migrate(`{"version":1,"operator":"chief","nodes":{"a":""}}`), 400, "nodes.a")
	b.Refused(b.Do("POST", "/api/issue/"+number+"/migrate", real), 403, "admin")
	b.Result(migrate(`{"version":2,"operator":"chief","dry_run":true}`), &dry)
	require.False(t, dry.Possible)
	require.Contains(t, dry.Reasons[0].Message, "version 2 already")
}

// A page that was left open says for which round of which node it was made, so that its second click does nothing.
func TestAnActSaysWhatItWasMadeFor(t *testing.T) {
	b := setup(t)
	b.publish(`
key: levels
name: Levels
nodes:
  - {id: lead, name: Lead, type: approval, processors: {persons: [wang]}, reject: {then: back, to: lead}, next: board}
  - {id: board, name: Board, type: approval, processors: {persons: [wang]}, next: over}
  - {id: over, name: Over, type: end}
`)
	var number string
	b.Result(b.Do("POST", "/api/issue", map[string]any{"origin": "hr", "title": "x", "service": "levels"}), &number)
	click := func(action string, more map[string]any) apitest.Answer {
		t.Helper()
		body := map[string]any{"action": action, "operator": "wang"}
		for name, value := range more {
			body[name] = value
		}
		return b.Do("POST", "/api/issue/"+number+"/handle", body)
	}
	require.Equal(t, 1, b.nodes(number)["lead"].Round)
	first := map[string]any{"node": "lead", "round": 1}
	b.Result(click("reject", first), nil)
	b.Refused(click("reject", first), 409, `round: "Lead" is already rejected by wang in round 1`)
	require.Equal(t, 2, b.nodes(number)["lead"].Round)
	b.Result(click("approve", nil), nil)
	b.Refused(click("approve", nil), 409, `node: "Board" was come to by the same approve of wang`)
	b.Refused(click("approve", map[string]any{"node": "lead", "round": 2}), 409, `"Lead" is already approved by wang`)
	for says, more := range map[string]map[string]any{
		"round: must be at least 1":     {"node": "board", "round": 0},
		"round: is a round of a node":   {"round": 1},
		"round: must be a whole number": {"node": "board", "round": "first"},
	} {
		b.Refused(click("approve", more), 400, says)
	}
	b.Result(click("approve", map[string]any{"node": "board", "round": 1}), nil)
	require.Equal(t, []string{"opened", "rejected", "approved", "approved"}, b.timeline(number))
}

// What follows from a migration by itself is part of what its dry run tells: votes that decide there, and stages whose time has passed.
func TestTheDryRunOfAMigrationTellsWhatFollows(t *testing.T) {
	b := setup(t)
	version := func(members string) {
		b.publish("key: vote\nname: Vote\nnodes:\n- {id: v, name: V, type: approval, rule: n-of-m, processors: {persons: [a, b, c, d]}, next: done, " + members +
			"}\n- {id: done, name: Done, type: end}\n")
	}
	version("n: 3")
	b.back.Now = func() time.Time { return time.Now().AddDate(0, 0, -10) }
	var number string
	b.Result(b.Do("POST", "/api/issue", map[string]any{"origin": "hr", "title": "t", "service": "vote", "opener": "li"}), &number)
	b.Result(b.act(number, "a", "approve", "v", nil), nil)
	b.Result(b.As(apitest.Boss).Do("POST", "/api/issue/"+number+"/handle", map[string]any{"action": "reassign", "operator": "root",
		"parameter": map[string]any{"targets": []string{"boss", "d"}}}), nil)
	require.Equal(t, map[string]int{"boss": 2, "d": 2}, b.nodes(number)["v"].Voices)
	version("n: 1")
	version("n: 3, deadline: [{after: 2d, do: remind}, {after: 5d, do: escalate, to: {persons: [chief]}}, {after: 100d, do: reject}]")

	type report struct {
		Possible bool
		Phase    string
		Overdue  []struct {
			Node, Kind, Do string
			Stage          int
		}
		CurrentNodes []currentNode `json:"current_nodes"`
	}
	dry := func(version int) (r report) {
		t.Helper()
		b.Result(b.As(apitest.Boss).Do("POST", "/api/issue/"+number+"/migrate", map[string]any{"version": version, "operator": "chief", "dry_run": true}), &r)
		require.True(t, r.Possible)
		return r
	}
	one := dry(2)
	require.Equal(t, "completed", one.Phase)
	require.Empty(t, one.CurrentNodes)
	late := dry(3)
	require.Equal(t, "triggered", late.Phase)
	require.Equal(t, "[{v deadline remind 1} {v deadline escalate 2}]", fmt.Sprint(late.Overdue))
	require.Equal(t, "v", late.CurrentNodes[0].ID)
	require.Equal(t, float64(1), b.read(number)["service_version"])

	b.Result(b.As(apitest.Boss).Do("POST", "/api/issue/"+number+"/migrate", map[string]any{"version": 2, "operator": "chief"}), nil)
	require.Equal(t, "completed", b.read(number)["phase"])
	require.Equal(t, []string{"opened", "approved", "reassigned", "migrated"}, b.timeline(number))
}

// What has been ordered is not ordered again because the answer was not understood, unless somebody says so.
func TestAKeptAnswerIsSentAgainOnlyOnRequest(t *testing.T) {
	b := setup(t)
	b.publish(`
key: order
name: Order
nodes:
  - {id: buy, name: Buy, type: call, call: {url: 'https://shop.example.com', answer: {number: body.id}}, fields: [{key: number, type: INT}], processors: {persons: [ops]}, next: check}
  - {id: check, name: Check, type: task, processors: {persons: [ann]}, next: over}
  - {id: over, name: Over, type: end}
`)
	open := func() (number string) {
		b.Result(b.Do("POST", "/api/issue", map[string]any{"origin": "hr", "title": "x", "service": "order"}), &number)
		return number
	}
	answered := func(number, body string) {
		t.Helper()
		tk, err := b.back.Ticket(t.Context(), "north", number)
		require.NoError(t, err)
		calls := tk.Calls(time.Now())
		require.Len(t, calls, 1)
		_, err = b.back.Handle(t.Context(), desk.Request{App: desk.App{Tenant: "north", Code: "writer"}}, desk.Handling{Ticket: number,
			Command: ticket.Command{Action: ticket.Answer, Called: &flow.Called{Key: calls[0].Key, Status: 201, Body: body}}})
		require.NoError(t, err)
	}
	number := open()
	answered(number, `{"id":"A7","secret":"s3cret"}`)
	failed := b.nodes(number)["buy"]
	require.Equal(t, "failed", failed.State)
	require.Contains(t, failed.Problem, "the request has succeeded")
	require.Equal(t, []string{"number"}, []string{failed.Fields[0].Key})
	b.Result(b.act(number, "ops", "retry", "buy", nil), nil)
	require.Equal(t, "failed", b.nodes(number)["buy"].State, "mapped again, and not sent")
	b.Refused(b.act(number, "ops", "skip", "buy", map[string]any{"fields": map[string]any{"number": "A7"}}), 400, "number: must be a whole number")
	b.Result(b.act(number, "ops", "skip", "buy", map[string]any{"fields": map[string]any{"number": 7}}), nil)
	require.Equal(t, map[string]any{"number": 7.0}, b.read(number)["fields"])
	history := string(b.Do("GET", "/api/issue/"+number+"/timeline", nil).Body)
	require.NotContains(t, history, "s3cret", "what a node was answered is for the node alone")

	number = open()
	answered(number, `{"id":"A8"}`)
	b.Result(b.act(number, "ops", "retry", "buy", map[string]any{"resend": true}), nil)
	require.Equal(t, "calling", b.nodes(number)["buy"].State)
	answered(number, `{"id":8}`)
	require.Equal(t, map[string]any{"number": 8.0}, b.read(number)["fields"])
}

func (b bench) timeline(number string) []string {
	b.T.Helper()
	var page struct{ Items []struct{ Type string } }
	b.Result(b.Do("GET", "/api/issue/"+number+"/timeline", nil), &page)
	var types []string
	for _, e := range page.Items {
		types = append(types, e.Type)
	}
	return types
}
