package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"signalbox/activities"
	"signalbox/api"
	"signalbox/api/incident"
	"signalbox/api/issue"
	"signalbox/api/publish"
	"signalbox/api/service"
	"signalbox/api/subscription"
	"signalbox/desk"
	"signalbox/internal/testmain"
	"signalbox/notice"
	"signalbox/store"
	"signalbox/store/outbox"
	"signalbox/store/storetest"
	"signalbox/ticket"
)

// What the other rooms ask of the store; their packages are not for the store itself to import.
var (
	_ activities.Outbox  = (*outbox.Outbox)(nil)
	_ api.Apps           = (*store.Store)(nil)
	_ issue.Tickets      = (*store.Store)(nil)
	_ issue.Addresses    = (*store.Store)(nil)
	_ activities.Reader  = (*store.Store)(nil)
	_ activities.Secrets = (*store.Store)(nil)
	_ service.Services   = (*store.Store)(nil)
	_ incident.Reader    = (*store.Store)(nil)
	_ publish.Stream     = (*store.Store)(nil)

	_ subscription.Subscriptions = (*store.Store)(nil)
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 678_901_000, time.UTC)

// clock is moved by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

func TestMain(m *testing.M) { testmain.Waiting(m) }

// bench is one database with a store on it.
type bench struct {
	*store.Store
	ledger store.Ledger
	outbox *outbox.Outbox
	clock  *clock
	dsn    string
	t      *testing.T

	beside *sql.DB // what raw gives
	n      int
}

var masterKey = []byte(storetest.MasterKey)

// both runs a case on SQLite and on PostgreSQL, beside all others: each has a database of its own.
func both(t *testing.T, f func(t *testing.T, b *bench)) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		f(t, open(t, storetest.SQLite(t)))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		f(t, open(t, storetest.Postgres(t)))
	})
}

// open is a bench on a database that is migrated.
func open(t *testing.T, dsn string) *bench {
	b := &bench{clock: &clock{now: epoch}, dsn: dsn, t: t}
	s, err := store.Open(t.Context(), dsn, store.Options{MasterKey: masterKey, Now: b.clock.Now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	b.Store, b.ledger, b.outbox, b.beside = s, s.Ledger(), s.Outbox, storetest.Raw(t, dsn)
	return b
}

// raw is the database itself, for looking at what the store does not show. It is one pool for the whole test, and closed after it.
func (b *bench) raw() *sql.DB { return b.beside }

func (b *bench) count(query string) (n int) {
	require.NoError(b.t, b.raw().QueryRowContext(b.t.Context(), query).Scan(&n))
	return n
}

func (b *bench) id() string {
	b.n++
	return fmt.Sprintf("00000000-0000-4000-8000-%012d", b.n)
}

// draft is the least a ticket needs.
func draft(title string) ticket.Draft {
	return ticket.Draft{Channel: ticket.ChannelIssue, App: "demo", Origin: "customs", Title: title}
}

// story is a ticket that commands are done to in memory; its events are projected by the case.
type story struct {
	t      *testing.T
	ticket ticket.Ticket
	events []ticket.Event
	at     time.Time
}

// begin decides an opening under a fresh identity, and projects nothing.
func (b *bench) begin(tenant string, d ticket.Draft) *story {
	b.n++
	id := ticket.Identity{ID: int64(b.n), UUID: fmt.Sprintf("10000000-0000-4000-8000-%012d", b.n), Tenant: tenant}
	id.Number = ticket.SeriesIM.Number(b.clock.Now(), id.ID)
	events, err := ticket.Open(d, id, fmt.Sprintf("op-open-%d", b.n), b.clock.Now())
	require.NoError(b.t, err)
	return &story{t: b.t, ticket: ticket.Fold(ticket.Ticket{}, events), events: events, at: b.clock.Now()}
}

// do decides a command and gives the events it causes.
func (s *story) do(c ticket.Command) []ticket.Event {
	s.at = s.at.Add(time.Second)
	if c.Operator == "" {
		c.Operator = "li"
	}
	c.Channel, c.App, c.Admin = ticket.ChannelIssue, "demo", true
	if c.Operation == "" {
		c.Operation = fmt.Sprintf("op-%d-%d", s.ticket.ID, s.ticket.Seq+1)
	}
	events, err := ticket.Decide(s.ticket, c, s.at)
	require.NoError(s.t, err)
	s.ticket = ticket.Fold(s.ticket, events)
	s.events = append(s.events, events...)
	return events
}

func (s *story) relate(kind string, items ...string) []ticket.Event {
	return s.do(ticket.Command{Action: ticket.Relate, Relation: &ticket.Relation{Type: kind, Content: items}})
}

// opened begins a ticket and projects its opening.
func (b *bench) opened(tenant string, d ticket.Draft) *story {
	s := b.begin(tenant, d)
	b.project(s, s.events...)
	return s
}

func (b *bench) project(s *story, events ...ticket.Event) {
	b.t.Helper()
	require.NoError(b.t, b.ledger.Project(b.t.Context(), s.ticket.Identity, events))
}

// act does a command and projects it.
func (b *bench) act(s *story, c ticket.Command) {
	b.t.Helper()
	b.project(s, s.do(c)...)
}

func (b *bench) read(s *story) ticket.Ticket {
	b.t.Helper()
	got, err := b.Ticket(b.t.Context(), s.ticket.Tenant, s.ticket.Number)
	require.NoError(b.t, err)
	return got
}

// request is one by the demo app.
func request(key string) desk.Request {
	return desk.Request{App: desk.App{Code: "demo", Tenant: "a"}, Channel: ticket.ChannelIssue, Key: key, Method: "POST", Path: "/api/issue?secret=s",
		Fingerprint: "f", RequestID: "r"}
}

func (b *bench) pending() []notice.Work {
	b.t.Helper()
	parts, err := b.outbox.Partitions(b.t.Context())
	require.NoError(b.t, err)
	var list []notice.Work
	for _, p := range parts {
		works := b.lanes(p, nil, 1000)
		require.NotEmpty(b.t, works)
		list = append(list, works...)
	}
	return list
}

// lanes gives, of lanes in which the outbox lists the next delivery, all that is pending, lane by lane.
func (b *bench) lanes(part int, busy []notice.Lane, limit int) (list []notice.Work) {
	b.t.Helper()
	works, err := b.outbox.Pending(b.t.Context(), part, busy, limit)
	require.NoError(b.t, err)
	return b.behind(works)
}

// behind gives all that is pending in the lanes of which it is given the next delivery, lane by lane. What a subscription has is read once for all of its lanes.
func (b *bench) behind(works []notice.Work) (list []notice.Work) {
	b.t.Helper()
	lanes, ids := make([][]string, len(works)), map[string][]string{}
	for i, w := range works {
		rows, err := b.raw().QueryContext(b.t.Context(), `SELECT id FROM deliveries WHERE subscription_id = '`+w.Subscription.ID+`' AND ticket_id = `+
			fmt.Sprint(w.Delivery.Lane.TicketID)+` AND state = 'pending' ORDER BY at, seq`)
		require.NoError(b.t, err)
		for rows.Next() {
			var id string
			require.NoError(b.t, rows.Scan(&id))
			lanes[i] = append(lanes[i], id)
		}
		require.NoError(b.t, rows.Err())
		require.Equal(b.t, w.Delivery.ID, lanes[i][0], "of each lane the next")
		ids[w.Subscription.ID] = append(ids[w.Subscription.ID], lanes[i][1:]...)
	}
	found := map[string]notice.Delivery{}
	for subscription, ids := range ids {
		for _, d := range b.those(subscription, ids) {
			found[d.ID] = d
		}
	}
	for i, w := range works {
		list = append(list, w)
		for _, id := range lanes[i][1:] {
			list = append(list, notice.Work{Delivery: found[id], Subscription: w.Subscription})
		}
	}
	return list
}

// those gives some deliveries of a subscription, in the order asked for: few one by one, and of many all pages.
func (b *bench) those(sub string, ids []string) (list []notice.Delivery) {
	b.t.Helper()
	const few, page = 20, 1000
	found := map[string]notice.Delivery{}
	if len(ids) <= few {
		for _, id := range ids {
			r, err := b.Delivery(b.t.Context(), sub, id)
			require.NoError(b.t, err)
			found[id] = r.Delivery
		}
	} else {
		for cursor, more := "", true; more; more = cursor != "" {
			records, next, err := b.Deliveries(b.t.Context(), notice.Owner{}, sub, cursor, page)
			require.NoError(b.t, err)
			for _, r := range records {
				found[r.Delivery.ID] = r.Delivery
			}
			cursor = next
		}
	}
	for _, id := range ids {
		d, there := found[id]
		require.True(b.t, there, id) // require.Contains would list all keys each time
		list = append(list, d)
	}
	return list
}

// alongside runs each job again and again beside what the test does, in a goroutine of its own: for each step that the test says it makes, at
// most so many times. A job that finds nothing to do thus does not take the processors from those that have. done waits for the jobs to end.
func alongside(times int, jobs ...func()) (step, done func()) {
	var working sync.WaitGroup
	var granted []chan struct{}
	for _, job := range jobs {
		turns := make(chan struct{}, times)
		granted = append(granted, turns)
		working.Go(func() {
			for range turns {
				job()
			}
		})
	}
	step = func() {
		for _, turns := range granted {
			for range times {
				select {
				case turns <- struct{}{}:
				default: // it is behind, and has as many to come
				}
			}
		}
	}
	done = func() {
		for _, turns := range granted {
			close(turns)
		}
		working.Wait()
	}
	return step, done
}

func background() context.Context { return context.Background() }

func TestMigrationsRunBothWays(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		require.NoError(t, b.Ping(t.Context()))
		n, err := b.Migrate(t.Context())
		require.NoError(t, err)
		require.Zero(t, n, "they ran already")
	})
}
