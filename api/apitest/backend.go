// Package apitest lets the tests of the families run over everything that they are served over in production but Temporal: the true desk and the
// true store on SQLite, and an engine in memory. It has apps to call with, and a client that holds every request and answer against the OpenAPI
// documents.
package apitest

import (
	"context"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/calendar"
	"signalbox/desk"
	"signalbox/desk/desktest"
	"signalbox/flow"
	"signalbox/notice"
	"signalbox/store"
	"signalbox/store/storetest"
	"signalbox/ticket"
)

// Backend is what stands behind the families: a desk over a database of its own and an engine in memory.
type Backend struct {
	*desk.Desk
	*store.Store
	Engine *desktest.Engine
	Now    func() time.Time // its clock; time.Now unless set
	Err    error            // when set, the desk and what a family reads first fail with it, as if what stands behind were down
	Reads  atomic.Int64     // how often families have read a ticket, a list of tickets, or services

	t testing.TB
}

// PublicURL is where people would find the pages.
const PublicURL = "https://box.example"

// NewBackend makes an empty one for the test. Days are counted, and callbacks tell times, in the zone; nil: UTC.
func NewBackend(t testing.TB, zone *time.Location) *Backend {
	t.Helper()
	b := &Backend{Now: time.Now, t: t}
	now := func() time.Time { return b.Now() }
	log := slog.New(slog.DiscardHandler)
	var err error
	b.Store, err = store.Open(t.Context(), storetest.SQLite(t), store.Options{MasterKey: []byte(storetest.MasterKey), PublicURL: PublicURL, Zone: zone, Now: now, Log: log})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Store.Close()) })
	b.Engine = &desktest.Engine{Now: now, Project: b.Ledger().Project}
	b.Desk = desk.New(b.Ledger(), b.Engine, desk.Options{People: b.Store, Now: now, Log: log})
	return b
}

// Waiting gives what is owed to a subscription and waits to be sent or tried again, oldest first.
func (b *Backend) Waiting(subscription string) (works []notice.Work) {
	b.t.Helper()
	partitions, err := b.Outbox.Partitions(b.t.Context())
	require.NoError(b.t, err)
	for _, partition := range partitions {
		pending, err := b.Outbox.Pending(b.t.Context(), partition, nil, 1_000)
		require.NoError(b.t, err)
		for _, w := range pending {
			if w.Subscription.ID == subscription { // of each lane the next
				works = append(works, b.behind(w)...)
			}
		}
	}
	return works
}

// behind gives one that is pending, and those after it in its lane.
func (b *Backend) behind(w notice.Work) (works []notice.Work) {
	b.t.Helper()
	records, _, err := b.Deliveries(b.t.Context(), notice.Owner{}, w.Subscription.ID, "", ticket.MaxPage)
	require.NoError(b.t, err)
	works = []notice.Work{w}
	for _, r := range slices.Backward(records) {
		if r.Lane == w.Delivery.Lane && r.State == notice.Pending && r.ID != w.Delivery.ID {
			works = append(works, notice.Work{Delivery: r.Delivery, Subscription: w.Subscription})
		}
	}
	return works
}

// Tried writes down that a delivery was tried so often, and what came of it in the end. Of the tries the times, the statuses, and what was sent
// and answered are taken as they are.
func (b *Backend) Tried(w notice.Work, then notice.DeliveryState, tries ...notice.Attempt) {
	b.t.Helper()
	b.TriedAs(notice.Result{Work: w, Then: then}, tries...)
}

// TriedAs is Tried with what else there is to tell of the last try.
func (b *Backend) TriedAs(last notice.Result, tries ...notice.Attempt) {
	b.t.Helper()
	if len(tries) == 0 {
		tries = []notice.Attempt{{StartedAt: b.Now(), FinishedAt: b.Now()}}
	}
	for i, a := range tries {
		a.DeliveryID = last.Work.Delivery.ID
		r := notice.Result{Work: last.Work, Attempt: a, Then: notice.Retrying}
		if i == len(tries)-1 {
			r = last
			r.Attempt = a
			r.Attempt.Succeeded = r.Then == notice.Sent
		}
		require.NoError(b.t, b.Outbox.SaveResults(b.t.Context(), []notice.Result{r}))
	}
	_, _, err := b.Outbox.Next(b.t.Context(), last.Work.Delivery.Lane) // an empty lane goes back to first tries
	require.NoError(b.t, err)
}

// GiveUp drops the address of a subscription, for a reason, after a failed try at what it is owed.
func (b *Backend) GiveUp(subscription, reason string) {
	b.t.Helper()
	waiting := b.Waiting(subscription)
	require.NotEmpty(b.t, waiting, "an address is given up after a try at something that it is owed")
	b.TriedAs(notice.Result{Work: waiting[0], Then: notice.Failed, Drop: reason})
}

// GoOn goes on with a redelivery until it is over.
func (b *Backend) GoOn(id string) {
	b.t.Helper()
	r, err := b.RedeliverSome(b.t.Context(), id, 1_000, 1_000)
	require.NoError(b.t, err)
	require.Equal(b.t, notice.Redelivered, r.State)
}

// What follows fails with Err where that is set.

// Open implements api.Desk.
func (b *Backend) Open(ctx context.Context, r desk.Request, o desk.Opening) (desk.Reply, error) {
	return or(b, func() (desk.Reply, error) { return b.Desk.Open(ctx, r, o) })
}

// Handle implements api.Desk.
func (b *Backend) Handle(ctx context.Context, r desk.Request, h desk.Handling) (desk.Reply, error) {
	return or(b, func() (desk.Reply, error) { return b.Desk.Handle(ctx, r, h) })
}

// Transact implements api.Desk.
func (b *Backend) Transact(ctx context.Context, r desk.Request, effect func(context.Context) (desk.Answer, error)) (desk.Reply, error) {
	return or(b, func() (desk.Reply, error) { return b.Desk.Transact(ctx, r, effect) })
}

// Ticket reads a ticket.
func (b *Backend) Ticket(ctx context.Context, tenant, key string) (ticket.Ticket, error) {
	return reading(b, func() (ticket.Ticket, error) { return b.Store.Ticket(ctx, tenant, key) })
}

// Record reads a ticket with what is kept beside it.
func (b *Backend) Record(ctx context.Context, tenant, key string) (ticket.Record, error) {
	return reading(b, func() (ticket.Record, error) { return b.Store.Record(ctx, tenant, key) })
}

// Tickets lists tickets.
func (b *Backend) Tickets(ctx context.Context, tenant string, f ticket.Filter) (ticket.Page, error) {
	return reading(b, func() (ticket.Page, error) { return b.Store.Tickets(ctx, tenant, f) })
}

func (b *Backend) Stuck(ctx context.Context, list []ticket.Ticket) (map[int64][]ticket.Stuck, error) {
	return reading(b, func() (map[int64][]ticket.Stuck, error) { return b.Store.Stuck(ctx, list) })
}

func (b *Backend) Count(ctx context.Context, tenant string, f ticket.Filter, most int) (ticket.Total, error) {
	return reading(b, func() (ticket.Total, error) { return b.Store.Count(ctx, tenant, f, most) })
}

// Changes reads the change feed.
func (b *Backend) Changes(ctx context.Context, tenant, cursor string, limit int) (ticket.FeedPage, error) {
	return reading(b, func() (ticket.FeedPage, error) { return b.Store.Changes(ctx, tenant, cursor, limit) })
}

// ServiceRecords lists services.
func (b *Backend) ServiceRecords(ctx context.Context, tenant string) ([]ticket.ServiceRecord, error) {
	return reading(b, func() ([]ticket.ServiceRecord, error) { return b.Store.ServiceRecords(ctx, tenant) })
}

// ServiceRecord reads a service.
func (b *Backend) ServiceRecord(ctx context.Context, tenant, key string) (ticket.ServiceRecord, error) {
	return reading(b, func() (ticket.ServiceRecord, error) { return b.Store.ServiceRecord(ctx, tenant, key) })
}

// ServicePage lists services by pages.
func (b *Backend) ServicePage(ctx context.Context, tenant, cursor string, limit int) (list []ticket.ServiceRecord, next string, err error) {
	list, err = reading(b, func() (list []ticket.ServiceRecord, err error) {
		list, next, err = b.Store.ServicePage(ctx, tenant, cursor, limit)
		return list, err
	})
	return list, next, err
}

// ServiceVersions lists the versions of a service.
func (b *Backend) ServiceVersions(ctx context.Context, tenant, key, cursor string, limit int) (list []ticket.ServiceRecord, next string, err error) {
	list, err = reading(b, func() (list []ticket.ServiceRecord, err error) {
		list, next, err = b.Store.ServiceVersions(ctx, tenant, key, cursor, limit)
		return list, err
	})
	return list, next, err
}

// ServiceVersion reads one of them.
func (b *Backend) ServiceVersion(ctx context.Context, tenant, key string, version int) (flow.Definition, error) {
	return reading(b, func() (flow.Definition, error) { return b.Store.ServiceVersion(ctx, tenant, key, version) })
}

// Calendars reads calendars that services name.
func (b *Backend) Calendars(ctx context.Context, tenant string, keys []string) ([]calendar.Calendar, error) {
	return or(b, func() ([]calendar.Calendar, error) { return b.Store.Calendars(ctx, tenant, keys) })
}

// CalendarRecords lists calendars.
func (b *Backend) CalendarRecords(ctx context.Context, tenant, cursor string, limit int) (list []ticket.CalendarRecord, next string, err error) {
	list, err = reading(b, func() (list []ticket.CalendarRecord, err error) {
		list, next, err = b.Store.CalendarRecords(ctx, tenant, cursor, limit)
		return list, err
	})
	return list, next, err
}

// CalendarRecord reads a calendar.
func (b *Backend) CalendarRecord(ctx context.Context, tenant, key string, version int) (ticket.CalendarRecord, error) {
	return reading(b, func() (ticket.CalendarRecord, error) { return b.Store.CalendarRecord(ctx, tenant, key, version) })
}

// ServiceByNumber reads the latest version of a service.
func (b *Backend) ServiceByNumber(ctx context.Context, tenant string, number int64) (ticket.ServiceRecord, error) {
	return reading(b, func() (ticket.ServiceRecord, error) { return b.Store.ServiceByNumber(ctx, tenant, number) })
}

// Catalogs lists the catalogs of services.
func (b *Backend) Catalogs(ctx context.Context, tenant string) ([]ticket.Catalog, error) {
	return or(b, func() ([]ticket.Catalog, error) { return b.Store.Catalogs(ctx, tenant) })
}

// ImportedServices lists the services that were imported.
func (b *Backend) ImportedServices(ctx context.Context, tenant string) ([]ticket.ImportedService, error) {
	return or(b, func() ([]ticket.ImportedService, error) { return b.Store.ImportedServices(ctx, tenant) })
}

// reading is or for what a family reads.
func reading[T any](b *Backend, read func() (T, error)) (T, error) {
	b.Reads.Add(1)
	return or(b, read)
}

func or[T any](b *Backend, read func() (T, error)) (T, error) {
	if b.Err != nil {
		var none T
		return none, b.Err
	}
	return read()
}
