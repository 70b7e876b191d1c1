package api_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/api/apitest"
	"signalbox/desk"
	"signalbox/ticket"
)

// auditor remembers what it was given.
type auditor struct {
	mu      sync.Mutex
	entries []desk.Entry
	err     error
}

func (a *auditor) Refused(ctx context.Context, e desk.Entry) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	a.entries = append(a.entries, e)
	return a.err
}

func (a *auditor) take() []desk.Entry {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := a.entries
	a.entries = nil
	return all
}

// audited is a server with calls that are refused in every way.
func audited(t *testing.T, config api.Config) (stand, *auditor, *prometheus.Registry) {
	refuse := func(err error) fiber.Handler { return func(*fiber.Ctx) error { return err } }
	s := setup(t, config,
		api.Route{Method: "PUT", Path: "/issue/:id", Scope: desk.Write, Handler: refuse(ticket.Refuse(ticket.Conflict, "it is over"))},
		api.Route{Method: "DELETE", Path: "/issue/:id", Scope: desk.Admin, Handler: ok},
		api.Route{Method: "POST", Path: "/issue/search", Scope: desk.Read, Handler: refuse(ticket.Refuse(ticket.Invalid, "no"))},
		api.Route{Method: "POST", Path: "/issue/away", Scope: desk.Write, Handler: refuse(ticket.Refuse(ticket.Unavailable, "later"))},
		api.Route{Method: "POST", Path: "/issue/again", Scope: desk.Write, Handler: refuse(ticket.Refuse(ticket.Busy, "the first is still running"))},
		api.Route{Method: "POST", Path: "/issue/fault", Scope: desk.Write, Handler: refuse(errors.New("a fault of ours"))},
		api.Route{Method: "POST", Path: "/issue/own", Scope: desk.Write, Handler: func(c *fiber.Ctx) error {
			api.RefusedWith(c, ticket.Refuse(ticket.Invalid, "in its own words"))
			return api.Respond(c, 400, fiber.Map{})
		}},
	)
	a, registry := &auditor{}, prometheus.NewRegistry()
	s.server.AuditRefusals(a)
	s.server.Measure(registry)
	return s, a, registry
}

func TestEveryRefusalToAKnownCallerIsWrittenDown(t *testing.T) {
	s, a, _ := audited(t, api.Config{AppRate: 60})
	for name, c := range map[string]struct {
		method, path, body string
		headers            []string
		want               desk.Entry
	}{
		"by the rules": {"PUT", "/issue/IM7?secret=s", `{"operator":"ann"}`, nil,
			desk.Entry{Operator: "ann", Path: "/issue/IM7", Number: "IM7", Status: 409, Code: ticket.Conflict, Why: "it is over"}},
		"for want of a scope": {"DELETE", "/issue/IM7", `{"bk_username":"bob","sn":"IM9"}`, nil,
			desk.Entry{Operator: "bob", Path: "/issue/IM7", Number: "IM7", Status: 403, Code: ticket.Forbidden, Why: "the app lacks the scope admin"}},
		"for its key": {"PUT", "/issue/IM7", ``, []string{"Idempotency-Key", "ä", "X-Bkapi-Authorization", `{"bk_username":"eve"}`},
			desk.Entry{Operator: "eve", Path: "/issue/IM7", Number: "IM7", Status: 400, Code: ticket.Invalid,
				Why: "Idempotency-Key: must be 1 to 128 characters of A-Z, a-z, 0-9, ':', '_' and '-'"}},
		"in words of its own": {"POST", "/issue/own", `{"sn":"IM9"}`, nil,
			desk.Entry{Path: "/issue/own", Number: "IM9", Status: 400, Code: ticket.Invalid, Why: "in its own words"}},
	} {
		answer := s.Do(c.method, c.path, c.body, append(c.headers, "X-Request-Id", "r-1")...)
		require.Equal(t, c.want.Status, answer.Status, name)
		entries := a.take()
		require.Len(t, entries, 1, name)
		require.False(t, entries[0].At.IsZero())
		c.want.At, c.want.Tenant, c.want.App, c.want.Address, c.want.RequestID = entries[0].At, "north", "writer", "0.0.0.0", "r-1"
		c.want.Channel, c.want.Method, c.want.Outcome = ticket.ChannelIssue, c.method, desk.Refused
		require.Equal(t, c.want, entries[0], name)
	}
	for answer := s.Do("POST", "/issue", nil); answer.Status != 429; answer = s.Do("POST", "/issue", nil) {
	}
	entries := a.take()
	require.Len(t, entries, 1, "that the app asks too often")
	require.Equal(t, ticket.TooMany, entries[0].Code)
}

func TestWhatIsNoRefusalOfAnActionIsNotWrittenDown(t *testing.T) {
	s, a, registry := audited(t, api.Config{})
	s.As("nonsense").Do("PUT", "/issue/IM7", nil)
	s.As(apitest.Gone).Do("PUT", "/issue/IM7", nil)
	s.As("").Do("PUT", "/issue/IM7", nil)
	s.Do("POST", "/issue/search", nil)
	s.Do("POST", "/issue/away", nil)
	s.Do("POST", "/issue/fault", nil)
	s.Do("POST", "/issue", nil)
	s.Do("PUT", "/nowhere", nil)
	for range 3 {
		require.Equal(t, 409, s.Do("POST", "/issue/again", nil).Status)
	}
	require.Empty(t, a.take(), "nor who asks again and again how far the first request is, which is in the audit itself")
	require.Len(t, s.logged(t), 11, "it is in the log")
	counted := counters(t, registry, "signalbox_http_refused_total", "code")
	require.Equal(t, map[string]float64{"unauthorized": 3, "invalid": 1, "unavailable": 1, "internal": 1, "no_route": 1, "busy": 3}, counted)
}

// TestRefusalsCannotFillTheDatabase: an app that is refused on and on is written down so often, and then only counted.
func TestRefusalsCannotFillTheDatabase(t *testing.T) {
	s, a, registry := audited(t, api.Config{})
	const asked = 700
	for range asked {
		require.Equal(t, 409, s.Do("PUT", "/issue/IM7", nil).Status)
	}
	written := len(a.take())
	require.InDelta(t, 600, written, 90, "the bucket is refilled meanwhile")
	require.Equal(t, float64(asked-written), counters(t, registry, "signalbox_audit_unwritten_total", "family")["issue"])
	require.Equal(t, 403, s.As(apitest.Reader).Do("PUT", "/issue/IM7", nil).Status)
	require.Len(t, a.take(), 1, "others are not crowded out")

	people := api.NewRefusals(a)
	lost := map[ticket.Channel]int{}
	people.Lost = func(c ticket.Channel) { lost[c]++ }
	refuse := func(app, tenant, person string) (written int) {
		for range asked {
			ok, err := people.Write(t.Context(), desk.Entry{App: app, Tenant: tenant, Operator: person, Channel: ticket.ChannelPages})
			require.NoError(t, err)
			if ok {
				written++
			}
		}
		return written
	}
	first := refuse(desk.PagesApp, "north", "ann")
	require.InDelta(t, 600, first, 90)
	require.Equal(t, asked-first, lost[ticket.ChannelPages])
	require.InDelta(t, 600, refuse(desk.PagesApp, "north", "bob"), 90, "each person on the pages has a limit of their own")
	require.InDelta(t, 600, refuse(desk.PagesApp, "south", "ann"), 90, "also one of the same id elsewhere")
	require.InDelta(t, 600, refuse("shop", "north", "ann"), 90)
	require.Less(t, refuse("shop", "north", "bob"), 90, "an app has one, whatever names it gives")
	a.take()

	a.err = errors.New("the database is away")
	require.Equal(t, 403, s.As(apitest.Reader).Do("PUT", "/issue/IM7", nil).Status, "the answer stands")
	require.Contains(t, s.log.String(), "the database is away")
}

// TestARefusedOperationIsCompleted: what the desk has written down itself is not written down twice.
func TestARefusedOperationIsCompleted(t *testing.T) {
	a := &auditor{}
	s := setup(t, api.Config{}, api.Route{Method: "PUT", Path: "/issue/:id", Scope: desk.Write, Handler: func(c *fiber.Ctx) error {
		_, err := deskThatRefuses(t).Handle(api.Context(c), api.Request(c), desk.Handling{Ticket: "IM7", Command: ticket.Command{Action: ticket.Accept}})
		return err
	}})
	s.server.AuditRefusals(a)
	require.Equal(t, 409, s.Do("PUT", "/issue/IM7", nil).Status)
	entries := a.take()
	require.Len(t, entries, 1)
	require.Equal(t, "op-1", entries[0].ID)
	require.Equal(t, 409, entries[0].Status)
}

type refusingLedger struct{ desk.Ledger }

func (refusingLedger) Ticket(context.Context, string, string) (ticket.Ticket, error) {
	return ticket.Ticket{Status: ticket.Triggered}, nil
}

func (refusingLedger) Claim(_ context.Context, op desk.Operation, prepare func(*desk.Operation) error) (desk.Operation, bool, error) {
	return op, true, prepare(&op)
}

func (refusingLedger) Close(context.Context, string, desk.OperationState, string) error { return nil }

type refusingEngine struct{ desk.Engine }

func (refusingEngine) Update(context.Context, ticket.Identity, int, desk.Seen, ticket.Command) ([]ticket.Event, error) {
	return nil, ticket.Refuse(ticket.Conflict, "not now")
}

func deskThatRefuses(t *testing.T) *desk.Desk {
	t.Helper()
	return desk.New(refusingLedger{}, refusingEngine{}, desk.Options{NewID: func() string { return "op-1" }})
}

// counters gives the values of a counter by one of its labels.
func counters(t *testing.T, registry *prometheus.Registry, name, label string) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	out := map[string]float64{}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.Metric {
			for _, pair := range m.Label {
				if strings.EqualFold(pair.GetName(), label) {
					out[pair.GetValue()] += m.Counter.GetValue()
				}
			}
		}
	}
	return out
}
