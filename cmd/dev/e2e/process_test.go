package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
	"signalbox/flow"
)

// issueView is what these tests look at of an issue.
type issueView struct {
	Status, Phase  string
	ServiceVersion int `json:"service_version"`
	Fields         map[string]any
	CurrentNodes   []struct {
		ID, Name, Type, State, Problem string
		Processors, Pending            []string
		Actions                        []flow.Action
		Anyone                         bool
		Fields                         []flow.Field
		Votes                          []struct {
			Who  string
			Pass bool
		}
	} `json:"current_nodes"`
}

func (c *caller) issue(t testing.TB, number string) (v issueView) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(c.must(t, "GET", "/api/issue/"+number, nil).body), &v))
	return v
}

// publish publishes a definition and gives its version.
func (c *caller) publish(t testing.TB, source string) int {
	t.Helper()
	return result[struct{ Version int }](t, c.must(t, "POST", "/api/service", []byte(source))).Version
}

func (c *caller) openService(t testing.TB, service string, fields map[string]any) string {
	t.Helper()
	return result[string](t, c.must(t, "POST", "/api/issue", map[string]any{"origin": "e2e", "title": t.Name(), "service": service, "opener": "opal", "fields": fields}))
}

// handled is the body of a handle call.
func handled(who, action, node string, parameter map[string]any) map[string]any {
	return map[string]any{"action": action, "operator": who, "node": node, "parameter": parameter}
}

func (c *caller) act(t testing.TB, number, who, action, node string, parameter map[string]any) {
	t.Helper()
	c.must(t, "POST", "/api/issue/"+number+"/handle", handled(who, action, node, parameter))
}

// happened lists what went on in an issue's process: kind, node, round, and who.
func (c *caller) happened(t testing.TB, number string) (all []string) {
	t.Helper()
	for _, e := range items[struct {
		ProcessLog []flow.LogEntry `json:"happenings"`
	}](t, c.must(t, "GET", "/api/issue/"+number+"/timeline?limit=200", nil)) {
		for _, h := range e.ProcessLog {
			all = append(all, line(h))
		}
	}
	return all
}

func line(h flow.LogEntry) string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %d %s", h.Kind, h.Node, h.Round, h.Who))
}

const purchase = `
key: purchase
name: 采购
fields: [{key: amount, name: 金额, type: INT, required: true}]
nodes:
  - {id: split, name: Split, type: parallel, branches: [{name: law, next: law}, {name: money, next: money}], join: met}
  - {id: law, name: Law, type: approval, processors: {persons: [lisa, leo]}, reject: {then: back, to: redo}, next: met}
  - id: money
    name: Money
    type: approval
    rule: all
    processors: {persons: [mia, max]}
    deadline: [{after: 2s, do: escalate, to: {persons: [boss]}}]
    next: met
  - {id: met, name: Met, type: join, next: much}
  - {id: much, name: 'Much?', type: branch, cases: [{name: much, when: fields.amount > 100 && nodes.law.passed, next: pay}], default: over}
  - id: pay
    name: Pay
    type: call
    call:
      url: PAY
      body: {amount: '${fields.amount}', by: '${opener}'}
      retry: {attempts: 3, interval: 1s, coefficient: 1}
      success: status == 201
      answer: {receipt: body.receipt}
    fields: [{key: receipt, type: STRING}]
    processors: {persons: [ops]}
    next: over
  - {id: redo, name: Redo, type: task, processors: {opener: true}, fields: [{key: amount, type: INT, required: true}], next: split}
  - {id: over, name: Over, type: end}
`

// told has a secret replaced, and gives the new one.
func (c *caller) told(t testing.TB, path string) string {
	t.Helper()
	return result[struct{ Secret string }](t, c.must(t, "POST", path+"/rotate", nil)).Secret
}

// verified reports whether a request was signed with that secret just now, by the library that receivers have.
func verified(t testing.TB, secret string, r harness.Request) error {
	t.Helper()
	hook, err := standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	return hook.Verify(r.Body, r.Header)
}

func TestAProcessEndToEnd(t *testing.T) {
	t.Parallel()
	d := sharedDev(t)
	c := d.caller()
	r := harness.NewReceiver(t)
	r.Answer("/pay", harness.Response{Status: 503}, harness.Response{Status: 201, Body: `{"receipt":"R-1"}`})
	require.Equal(t, 1, c.publish(t, strings.Replace(purchase, "PAY", r.URL("/pay"), 1)))
	number := c.openService(t, "purchase", map[string]any{"amount": 50})
	notification := "/api/issue/" + number + "/notification"
	address := notification + "/" + result[struct{ ID string }](t, c.must(t, "POST", notification, map[string]any{"url": r.URL("/told")})).ID
	secrets := map[string][]string{"/pay": {c.told(t, "/api/service/purchase"), c.told(t, "/api/service/purchase")}, "/told": {c.told(t, address), c.told(t, address)}}

	// A rejection goes back, out of both branches.
	c.act(t, number, "lisa", "reject", "law", map[string]any{"comment": "太便宜"})
	require.Equal(t, []string{"opal"}, c.issue(t, number).CurrentNodes[0].Pending)
	c.act(t, number, "opal", "submit", "redo", map[string]any{"fields": map[string]any{"amount": 500}})
	c.act(t, number, "leo", "approve", "law", nil)
	c.act(t, number, "mia", "approve", "money", nil)

	// The deadline asks the boss as well, and the lists know.
	waiting := func(who string) []string {
		var numbers []string
		for _, i := range items[struct{ ID string }](t, c.must(t, "GET", "/api/issue?service=purchase&waiting_for="+who, nil)) {
			numbers = append(numbers, i.ID)
		}
		return numbers
	}
	harness.Until(t, "the boss is asked", time.Minute, func() error {
		if got := waiting("boss"); !slices.Equal(got, []string{number}) {
			return fmt.Errorf("%v wait for the boss", got)
		}
		return nil
	})
	require.Empty(t, waiting("mia"))
	require.Equal(t, []string{number}, waiting("max"))
	c.act(t, number, "boss", "approve", "money", nil)
	c.act(t, number, "max", "approve", "money", nil)

	paid := r.Await(t, "/pay", 2, time.Minute)
	require.JSONEq(t, `{"amount":500,"by":"opal"}`, string(paid[1].Body))
	require.True(t, strings.HasPrefix(paid[0].Header.Get("Idempotency-Key"), number+":pay:1:1:"), paid[0].Header.Get("Idempotency-Key"))
	require.Equal(t, paid[0].Header.Get("Idempotency-Key"), paid[1].Header.Get("Idempotency-Key"), "the receiver can tell a repetition")
	harness.Until(t, "closed", time.Minute, func() error {
		if v := c.issue(t, number); v.Status != "CLOSED" {
			return fmt.Errorf("stands at %+v", v.CurrentNodes)
		}
		return nil
	})

	// Whoever knows a secret that was replaced just now, or the one in its place, can verify every attempt.
	r.Await(t, "/told", 1, time.Minute)
	for path, known := range secrets {
		for i, request := range r.Requests(path) {
			for _, secret := range known {
				require.NoError(t, verified(t, secret, request), "%s %d", path, i)
			}
			require.Error(t, verified(t, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", request))
			request.Body = append(request.Body, ' ')
			require.Error(t, verified(t, known[1], request))
		}
	}
	require.Equal(t, paid[0].Header.Get("Idempotency-Key"), paid[1].Header.Get("webhook-id"))
	require.Equal(t, paid[0].Header.Get("webhook-id"), paid[1].Header.Get("webhook-id"), "the same on every attempt")

	v := c.issue(t, number)
	require.Equal(t, "completed", v.Phase)
	require.Equal(t, map[string]any{"amount": 500.0, "receipt": "R-1"}, v.Fields)
	require.Subset(t, c.happened(t, number), []string{"voted law 1 lisa", "went_back law 1 lisa", "cancelled money 1", "acted redo 1 opal", "escalated money 2",
		"voted money 2 boss", "call_done pay 1", "finished over 1"})
	require.Len(t, r.Requests("/pay"), 2)
	picture := c.must(t, "GET", "/api/issue/"+number+"/diagram.svg", nil)
	require.Contains(t, picture.body, "<svg")
	require.Contains(t, picture.body, "采购")
}

// Many vote at the same moment; the frontend lets ten updates of one workflow in at once.
func TestSimultaneousVotes(t *testing.T) {
	t.Parallel()
	d := sharedDev(t)
	c := d.caller()
	const voters = 20
	var people []string
	for i := range voters {
		people = append(people, fmt.Sprintf("p%02d", i))
	}
	asked := "{persons: [" + strings.Join(people, ", ") + "]}"
	c.publish(t, `
key: votes
name: Votes
nodes:
  - {id: first, name: First, type: approval, processors: `+asked+`, next: five}
  - {id: five, name: Five, type: approval, rule: n-of-m, n: 3, finish: decided, processors: {persons: [a, b, c, d, e]}, next: last}
  - {id: last, name: Last, type: approval, processors: `+asked+`, next: over}
  - {id: over, name: Over, type: end}
`)
	number := c.openService(t, "votes", nil)
	vote := func(node string, who ...string) (winners []string, refused map[string]answer) {
		t.Helper()
		answers := make([]answer, len(who))
		errs := make([]error, len(who))
		slowest := time.Duration(0)
		var mu sync.Mutex
		var ready, wait sync.WaitGroup
		ready.Add(len(who))
		for i, person := range who {
			wait.Go(func() {
				ready.Done()
				ready.Wait()
				began := time.Now()
				answers[i], errs[i] = c.send(t.Context(), "POST", "/api/issue/"+number+"/handle", "vote-"+node+"-"+person, handled(person, "approve", node, nil))
				mu.Lock()
				defer mu.Unlock()
				slowest = max(slowest, time.Since(began))
			})
		}
		wait.Wait()
		t.Logf("%d votes at once at %s: the slowest took %s", len(who), node, slowest.Round(time.Millisecond))
		refused = map[string]answer{}
		for i, person := range who {
			require.NoError(t, errs[i])
			if answers[i].status == http.StatusOK {
				winners = append(winners, person)
			} else {
				refused[person] = answers[i]
			}
		}
		return winners, refused
	}

	winners, refused := vote("first", people...)
	require.Len(t, winners, 1)
	require.Len(t, refused, voters-1)
	for who, a := range refused {
		require.Equal(t, http.StatusConflict, a.status, "%s: %s", who, a)
		require.Contains(t, a.body, `is already approved by `+winners[0])
	}
	// The one who has won hears it again.
	again, err := c.send(t.Context(), "POST", "/api/issue/"+number+"/handle", "vote-first-"+winners[0], handled(winners[0], "approve", "first", nil))
	require.NoError(t, err)
	require.Equal(t, 200, again.status)
	require.True(t, again.replayed())

	three, refused := vote("five", "a", "b", "c", "d", "e")
	require.Len(t, three, 3, "%v", refused)
	for _, a := range refused {
		require.Equal(t, http.StatusConflict, a.status, a)
		require.Contains(t, a.body, "is already approved by ")
	}
	require.Equal(t, "last", c.issue(t, number).CurrentNodes[0].ID)

	// The vote that ends the ticket: who comes too late still hears who has decided.
	last, refused := vote("last", people...)
	require.Len(t, last, 1)
	for who, a := range refused {
		require.Equal(t, http.StatusConflict, a.status, "%s: %s", who, a)
		require.Contains(t, a.body, `is already approved by `+last[0])
	}
	var votes []string
	for _, h := range c.happened(t, number) {
		if strings.HasPrefix(h, flow.Voted) {
			votes = append(votes, h)
		}
	}
	require.Len(t, votes, 5, "one, three and one: %v", votes)
	require.Equal(t, "CLOSED", c.issue(t, number).Status)
}

// A service is published while tickets of it are under way: each keeps its version, until an admin moves it.
func TestTicketsKeepTheirVersion(t *testing.T) {
	t.Parallel()
	d := sharedDev(t)
	c := d.caller()
	const v1 = `
key: versions
name: Versions
nodes:
  - {id: lead, name: Lead, type: approval, processors: {persons: [wang]}, deadline: [{after: 30d, do: approve}], next: over}
  - {id: over, name: Over, type: end}
`
	v2 := strings.NewReplacer("id: lead", "id: chief", "after: 30d", "after: 1s").Replace(v1)
	require.Equal(t, 1, c.publish(t, v1))
	stays, moves := c.openService(t, "versions", nil), c.openService(t, "versions", nil)
	require.Equal(t, 2, c.publish(t, v2))
	later := c.openService(t, "versions", nil)
	require.Equal(t, []int{1, 1, 2}, []int{c.issue(t, stays).ServiceVersion, c.issue(t, moves).ServiceVersion, c.issue(t, later).ServiceVersion})

	migrate := func(more string) answer {
		a, err := c.send(t.Context(), "POST", "/api/issue/"+moves+"/migrate", "", []byte(`{"version":2,"operator":"boss"`+more+`}`))
		require.NoError(t, err)
		return a
	}
	require.Equal(t, 409, migrate("").status)
	dry := result[struct{ Possible bool }](t, migrate(`,"nodes":{"lead":"chief"},"dry_run":true`))
	require.True(t, dry.Possible)
	require.Equal(t, 1, c.issue(t, moves).ServiceVersion)
	require.Equal(t, 200, migrate(`,"nodes":{"lead":"chief"}`).status)
	require.Equal(t, 2, c.issue(t, moves).ServiceVersion)
	require.Equal(t, "migrated", c.timeline(t, moves)[1].Type)
	c.act(t, moves, "wang", "approve", "chief", nil)
	c.act(t, stays, "wang", "approve", "lead", nil)
	harness.Until(t, "the deadline of version 2", time.Minute, func() error {
		if c.issue(t, later).Status != "CLOSED" {
			return fmt.Errorf("still open")
		}
		return nil
	})
	for _, number := range []string{stays, moves} {
		require.Equal(t, "CLOSED", c.issue(t, number).Status)
	}
}
