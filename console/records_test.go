package console_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/notice"
	"signalbox/ticket"
)

var began = time.Date(2026, 11, 24, 9, 15, 4, 123456000, time.UTC)

// records is a read model in memory. What it holds, the rule book made.
type records struct {
	mu         sync.Mutex
	now        time.Time
	err        error // when set, everything fails with it
	kept       []*kept
	deliveries map[string][]notice.DeliveryRecord // by subscription, newest first
	asked      []string                           // tenants that were asked for
}

type kept struct {
	ticket    ticket.Ticket
	events    []ticket.Event
	relations []ticket.Relation
	messages  []ticket.MessageRecord
	told      []notice.Registration
	alerts    []notice.Alert
}

func newRecords() *records {
	return &records{now: began, deliveries: map[string][]notice.DeliveryRecord{}}
}

// open opens a ticket and gives its number.
func (r *records) open(t testing.TB, tenant string, d ticket.Draft) *kept {
	t.Helper()
	n := int64(len(r.kept) + 1)
	id := ticket.Identity{ID: n, Number: ticket.SeriesIM.Number(r.now, n), UUID: fmt.Sprintf("00000000-0000-4000-8000-%012d", n), Tenant: tenant}
	events, err := ticket.Open(d, id, "op", r.now)
	require.NoError(t, err)
	k := &kept{}
	k.fold(events)
	r.kept = append(r.kept, k)
	return k
}

// do lets something happen to a ticket, a minute and a bit later.
func (r *records) do(t testing.TB, k *kept, c ticket.Command) {
	t.Helper()
	r.now = r.now.Add(61*time.Second + 7*time.Millisecond)
	if c.App == "" {
		c.App = "shop"
	}
	if c.Channel == "" {
		c.Channel = ticket.ChannelIssue
	}
	if k.ticket.Ended() {
		k.ticket.Generation++ // as the desk has it: what is still allowed begins the next generation
	}
	events, err := ticket.Decide(k.ticket, c, r.now)
	require.NoError(t, err)
	require.NotEmpty(t, events, c.Action)
	k.fold(events)
}

// fold follows the read model: it completes Before with earlier contents and messages.
func (k *kept) fold(events []ticket.Event) {
	for _, e := range events {
		k.ticket = ticket.Evolve(k.ticket, e)
		if e.After.Opening != nil {
			k.relations = slices.Clone(e.After.Opening.Relations)
		}
		if rel := e.After.Relation; rel != nil {
			if i := slices.IndexFunc(k.relations, func(o ticket.Relation) bool { return o.Type == rel.Type }); i >= 0 {
				before := k.relations[i]
				e.Before.Relation, k.relations[i] = &before, *rel
			} else {
				k.relations = append(k.relations, *rel)
			}
		}
		if m := e.After.Message; m != nil {
			if i := slices.IndexFunc(k.messages, func(o ticket.MessageRecord) bool { return o.ID == m.ID }); i >= 0 {
				before := k.messages[i].Message
				e.Before.Message, k.messages[i].Message, k.messages[i].UpdatedAt = &before, *m, e.At
			} else {
				k.messages = append(k.messages, ticket.MessageRecord{Message: *m, CreatedAt: e.At, UpdatedAt: e.At})
			}
		}
		k.events = append(k.events, e)
	}
}

// tell registers an address with its deliveries, oldest first.
func (r *records) tell(k *kept, id, url string, deliveries ...notice.DeliveryRecord) {
	s := notice.Subscription{ID: id, Tenant: k.ticket.Tenant, TicketID: k.ticket.ID, URL: url, Format: notice.FormatIssue, Profile: notice.Minutely,
		Secret: "whsec_never_shown", State: notice.Active, CreatedAt: began}
	counts := map[notice.DeliveryState]int{}
	for i := range deliveries {
		deliveries[i].ID = fmt.Sprintf("msg_%s_%d", id, i+1)
		counts[deliveries[i].State]++
	}
	slices.Reverse(deliveries)
	k.told, r.deliveries[id] = append(k.told, notice.Registration{Subscription: s, Counts: counts}), deliveries
}

func (r *records) find(id int64) *kept { return r.kept[id-1] }

func (r *records) Ticket(_ context.Context, tenant, key string) (ticket.Ticket, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, tenant)
	if r.err != nil {
		return ticket.Ticket{}, r.err
	}
	for _, k := range r.kept {
		if k.ticket.Tenant == tenant && (k.ticket.Number == key || k.ticket.UUID == key) {
			return k.ticket, nil
		}
	}
	return ticket.Ticket{}, ticket.Refuse(ticket.NotFound, "there is no such ticket")
}

func (r *records) Tickets(_ context.Context, tenant string, f ticket.Filter) (page ticket.Page, err error) {
	before := int64(len(r.kept) + 1)
	if f.Cursor != "" {
		if before, err = strconv.ParseInt(f.Cursor, 10, 64); err != nil {
			return page, ticket.RefuseField(ticket.Invalid, "cursor", "is not the next_cursor of a page")
		}
	}
	for _, k := range slices.Backward(r.kept) {
		t := k.ticket
		if t.Tenant != tenant || t.ID >= before || f.Open != nil && *f.Open == t.Ended() || len(f.Phases) > 0 && !slices.Contains(f.Phases, t.Phase()) ||
			!strings.Contains(t.Number+" "+t.Title, f.Terms) {
			continue
		}
		if len(page.Items) == f.Limit {
			page.Next = strconv.FormatInt(page.Items[f.Limit-1].ID, 10)
			break
		}
		page.Items = append(page.Items, t)
	}
	return page, r.err
}

func (r *records) Relations(_ context.Context, t ticket.Ticket) ([]ticket.Relation, error) {
	return r.find(t.ID).relations, r.err
}

func (r *records) Messages(_ context.Context, id int64, after, limit int) ([]ticket.MessageRecord, error) {
	messages := r.find(id).messages
	messages = messages[min(after, len(messages)):]
	return messages[:min(limit, len(messages))], r.err
}

func (r *records) EntriesBefore(_ context.Context, id int64, before notice.Position, limit int) (list []notice.Entry, err error) {
	k := r.find(id)
	for i := range k.events {
		list = append(list, notice.Entry{Event: &k.events[i]})
		for j := range k.alerts {
			if k.alerts[j].Position.Seq == k.events[i].Seq {
				list = append(list, notice.Entry{Alert: &k.alerts[j]})
			}
		}
	}
	if before != (notice.Position{}) {
		list = slices.DeleteFunc(list, func(e notice.Entry) bool { return !e.Position().Before(before) })
	}
	return list[max(0, len(list)-limit):], r.err
}

func (r *records) Registered(_ context.Context, id int64) ([]notice.Registration, error) {
	return r.find(id).told, r.err
}

func (r *records) Deliveries(_ context.Context, subscription, cursor string, limit int) ([]notice.DeliveryRecord, string, error) {
	all, skip := r.deliveries[subscription], 0
	if cursor != "" {
		n, err := strconv.Atoi(cursor)
		if err != nil {
			return nil, "", ticket.RefuseField(ticket.Invalid, "cursor", "is not the next_cursor of a page")
		}
		skip = n
	}
	all = all[min(skip, len(all)):]
	if len(all) > limit {
		return all[:limit], strconv.Itoa(skip + limit), r.err
	}
	return all, "", r.err
}

// apps are apps by code; an app's secret is its code with "-secret" behind it.
type apps struct {
	mu  sync.Mutex
	all map[string]desk.App
	err error
}

func newApps() *apps {
	return &apps{all: map[string]desk.App{
		"shop":   {Code: "shop", Tenant: "north", Scopes: []desk.Scope{desk.Read, desk.Write}},
		"other":  {Code: "other", Tenant: "south", Scopes: []desk.Scope{desk.Read}},
		"nobody": {Code: "nobody", Tenant: "north"},
		"gone":   {Code: "gone", Tenant: "north", Scopes: []desk.Scope{desk.Read}, Disabled: true},
	}}
}

var errUnknown = ticket.Refuse(ticket.Unauthorized, "the credential is not valid")

func (a *apps) ByCode(ctx context.Context, code, secret string) (desk.App, error) {
	app, err := a.App(ctx, code)
	if err == nil && secret != code+"-secret" {
		return desk.App{}, errUnknown
	}
	return app, err
}

func (a *apps) App(_ context.Context, code string) (desk.App, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	app, ok := a.all[code]
	switch {
	case a.err != nil:
		return desk.App{}, a.err
	case !ok || app.Disabled:
		return desk.App{}, errUnknown
	}
	return app, nil
}

func (a *apps) set(app desk.App) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all[app.Code] = app
}
