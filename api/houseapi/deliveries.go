package houseapi

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/desk"
	"signalbox/notice"
	"signalbox/ticket"
)

// Deliveries is what all addresses of a tenant are told.
type Deliveries interface {
	// TenantDeliveries lists those that a filter chooses, newest first.
	TenantDeliveries(ctx context.Context, tenant string, f notice.DeliveryFilter) (notice.DeliveryPage, error)
	// TenantDelivery is one of them, with its body and every attempt; NotFound.
	TenantDelivery(ctx context.Context, tenant, id string) (notice.TenantDelivery, error)
	// Ticket finds by number or UUID; NotFound when the tenant has no such ticket.
	Ticket(ctx context.Context, tenant, key string) (ticket.Ticket, error)
}

// DeliveryCalls are the calls about deliveries whatever address they go to. What is done with one is a call of its address: SubscriptionCalls.
type DeliveryCalls struct{ Deliveries Deliveries }

// Routes gives their routes; all is the path of the list.
func (d DeliveryCalls) Routes(all string) []api.Route {
	return []api.Route{
		{Method: http.MethodGet, Path: all, Scope: desk.Read, Query: true, Handler: d.list},
		{Method: http.MethodGet, Path: all + "/:did", Scope: desk.Read, Handler: d.show},
	}
}

// list shows the deliveries of the caller's tenant that the query chooses, in pages.
func (d DeliveryCalls) list(c *fiber.Ctx) error {
	q, err := api.ReadQuery(c)
	if err != nil {
		return err
	}
	var f notice.DeliveryFilter
	f.Limit, f.Cursor = q.Page()
	for _, state := range q.Choices("state", words(notice.DeliveryStates)...) {
		f.States = append(f.States, notice.DeliveryState(state))
	}
	f.Subscription = q.Name("subscription", 0, ticket.MaxName)
	f.Host = strings.ToLower(q.Name("host", 0, ticket.MaxName))
	f.From, f.To = q.Time("from"), q.Time("to")
	issue := q.Name("issue", 0, ticket.MaxName)
	if err := q.Err(); err != nil {
		return err
	}
	if err := f.Check(); err != nil {
		return err
	}
	tenant := api.Caller(c).Tenant
	if issue != "" {
		t, err := d.Deliveries.Ticket(api.Context(c), tenant, issue)
		if ticket.Is(err, ticket.NotFound) {
			return ticket.RefuseField(ticket.Invalid, "issue", "there is no such issue")
		} else if err != nil {
			return err
		}
		f.TicketID = t.ID
	}
	page, err := d.Deliveries.TenantDeliveries(api.Context(c), tenant, f)
	if err != nil {
		return err
	}
	return Respond(c, Items[deliveryLine]{Items: api.Each(page.Items, lineOf), Next: page.Next})
}

// show shows one delivery (did) with all that is kept of it.
func (d DeliveryCalls) show(c *fiber.Ctx) error {
	did, err := Word(c, "did", errNoDelivery)
	if err != nil {
		return err
	}
	r, err := d.Deliveries.TenantDelivery(api.Context(c), api.Caller(c).Tenant, did)
	if err != nil {
		return err
	}
	return Respond(c, deliveredView{viewOf(r.DeliveryRecord, notice.MaxAnswer), destinationOf(r)})
}

// destination is what a delivery tells of, and where it goes. Subscription or Notification is set, by which its own calls name it.
type destination struct {
	At           time.Time     `json:"at"`                     // of the event
	Issue        string        `json:"issue,omitempty"`        // number of the ticket; left out where it is about none
	Subscription string        `json:"subscription,omitempty"` // a lasting one
	Notification string        `json:"notification,omitempty"` // one of a ticket's addresses, or a way of telling a person
	Person       string        `json:"person,omitempty"`       // who is told in that way
	Way          notice.Format `json:"way,omitempty"`
	URL          string        `json:"url"`
	Host         string        `json:"host"`
}

func destinationOf(d notice.TenantDelivery) destination {
	sub := d.Subscription
	out := destination{At: d.At.UTC(), Issue: d.Number, URL: sub.URL, Host: sub.Host}
	if sub.TicketID == 0 && sub.Person == "" {
		out.Subscription = sub.ID
	} else {
		out.Notification = sub.ID
	}
	if sub.Format.Letter() {
		out.Person, out.Way = sub.Person, sub.Format
	}
	return out
}

// deliveredView is one delivery with where it goes.
type deliveredView struct {
	deliveryView
	destination
}

// deliveryLine is a delivery in the list of all: without its body, and of its attempts with the last alone.
type deliveryLine struct {
	ID            string               `json:"id"`
	Type          string               `json:"type"`
	State         notice.DeliveryState `json:"state"`
	Reason        string               `json:"reason,omitempty"`
	CreatedAt     time.Time            `json:"created_at"`
	EndedAt       *time.Time           `json:"ended_at"`
	NextAttemptAt *time.Time           `json:"next_attempt_at"`
	Hops          int                  `json:"hops"`
	LastAttempt   *attemptView         `json:"last_attempt"` // null before the first
	destination
}

func lineOf(d notice.TenantDelivery) deliveryLine {
	v := shortened(d.DeliveryRecord)
	l := deliveryLine{ID: v.ID, Type: v.Type, State: v.State, Reason: v.Reason, CreatedAt: v.CreatedAt, EndedAt: v.EndedAt, NextAttemptAt: v.NextAttemptAt, Hops: v.Hops, destination: destinationOf(d)}
	if n := len(v.Attempts); n > 0 {
		l.LastAttempt = &v.Attempts[n-1]
	}
	return l
}

func words[T ~string](list []T) []string {
	return api.Each(list, func(word T) string { return string(word) })
}
