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
	// Record is Ticket with what is kept beside it.
	Record(ctx context.Context, tenant, key string) (ticket.Record, error)
	// Tickets lists newest first.
	Tickets(ctx context.Context, tenant string, f ticket.Filter) (ticket.Page, error)
	Count(ctx context.Context, tenant string, f ticket.Filter, most int) (ticket.Total, error)
	Stuck(ctx context.Context, list []ticket.Ticket) (map[int64][]ticket.Stuck, error)
	// Changes gives a page of the tenant's change feed, oldest first. A cursor is where the page before ended, or one of package ticket's. Gone: it names what
	// is not there.
	Changes(ctx context.Context, tenant, cursor string, limit int) (ticket.FeedPage, error)
	// Messages gives a part of the conversation, oldest first: at most limit messages after the first so many.
	Messages(ctx context.Context, ticketID int64, after, limit int) ([]ticket.MessageRecord, error)
	// Message gives one message; NotFound.
	Message(ctx context.Context, ticketID int64, id string) (ticket.MessageRecord, error)
	// FollowersPage gives a page of those who follow a ticket, in the order of their ids.
	FollowersPage(ctx context.Context, t ticket.Ticket, cursor string, limit int) (list []string, next string, err error)
	// Follow has somebody follow a ticket, or follow it no more, whichever it was before. It joins the transaction that ctx carries. TooMany: no more can.
	Follow(ctx context.Context, t ticket.Ticket, person string, on bool) error
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
	// Register gives the active subscription of the address of want on the ticket, or makes one, with its time-out, headers and TLS where it has any. It joins the transaction that ctx carries. TooMany: no more are taken.
	Register(ctx context.Context, t ticket.Ticket, want notice.Subscription) (notice.Subscription, error)
	// Registered lists those of a ticket that are active or dropped, oldest first, with counts of their deliveries by state, in pages.
	Registered(ctx context.Context, ticketID int64, cursor string, limit int) (items []notice.Registration, next string, err error)
	// What is done with one of them.
	houseapi.Subscriptions
}
