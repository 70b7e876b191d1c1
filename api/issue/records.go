// Package issue is the house API: the issue family of seed 000, extended in its own style.
package issue

import (
	"context"

	"signalbox/api/houseapi"
	"signalbox/flow"
	"signalbox/notice"
	"signalbox/ticket"
)

// Tickets is the read model as this family sees it. All of it is limited to the tenant or to a ticket that was found in it.
type Tickets interface {
	// Ticket finds by number or UUID; NotFound when the tenant has no such ticket.
	Ticket(ctx context.Context, tenant, key string) (ticket.Ticket, error)
	// Tickets lists newest first.
	Tickets(ctx context.Context, tenant string, f ticket.Filter) (ticket.Page, error)
	// Relations gives all relations of a ticket, as it was read, in the order in which the types were first added.
	Relations(ctx context.Context, t ticket.Ticket) ([]ticket.Relation, error)
	// Messages gives a part of the conversation, oldest first: at most limit messages after the first so many.
	Messages(ctx context.Context, ticketID int64, after, limit int) ([]ticket.MessageRecord, error)
	// Message gives one message; NotFound.
	Message(ctx context.Context, ticketID int64, id string) (ticket.MessageRecord, error)
	// Entries gives the timeline after a place, oldest first: events, with Before completed, and alerts.
	Entries(ctx context.Context, ticketID int64, after notice.Position, limit int) ([]notice.Entry, error)
}

// Services is what tickets can run through, as this family sees it. Built-in services are there for every tenant.
type Services interface {
	// ServiceRecord gives the latest version of a service; NotFound when there is none of this key.
	ServiceRecord(ctx context.Context, tenant, key string) (ticket.ServiceRecord, error)
	// ServiceVersion gives one version, which never changes; NotFound when there is none.
	ServiceVersion(ctx context.Context, tenant, key string, version int) (flow.Definition, error)
}

// Addresses is the notifications registered on one ticket.
type Addresses interface {
	// Register gives the active subscription of that address on the ticket, or makes one. It joins the transaction that ctx carries.
	Register(ctx context.Context, t ticket.Ticket, url string) (notice.Subscription, error)
	// Registered lists those of a ticket that are active or dropped, oldest first, with counts of their deliveries by state.
	Registered(ctx context.Context, ticketID int64) ([]notice.Registration, error)
	// Registration is one of them; NotFound when the ticket has no such subscription (or it was deleted).
	Registration(ctx context.Context, ticketID int64, subscription string) (notice.Registration, error)
	// Unregister deletes: nothing more is sent, what is queued is cancelled. NotFound as above. Joins the transaction of ctx.
	Unregister(ctx context.Context, ticketID int64, subscription string) error
	// RotateAddress gives one a new secret; the one before it signs on for 24 hours. NotFound as above; Conflict: the address is dropped;
	// TooMany: too often within these. Joins the transaction of ctx.
	RotateAddress(ctx context.Context, ticketID int64, subscription string) (secret string, err error)
	// Redeliver starts a new round of tries under the same ID. NotFound: the subscription has no such delivery; Conflict: it is still being
	// tried, or the address is dropped and not registered again. Joins the transaction of ctx.
	Redeliver(ctx context.Context, ticketID int64, subscription, delivery string) error
	// What is owed to them. A deleted address has nothing more.
	houseapi.Deliveries
}
