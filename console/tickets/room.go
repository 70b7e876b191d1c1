// Package tickets is the pages of one ticket: what it is, where it stands, whom it asks, what happened to it and whom it was told to.
package tickets

import (
	"context"
	"net/http"

	"signalbox/api"
	"signalbox/console/page"
	"signalbox/flow"
	"signalbox/notice"
	"signalbox/ticket"
)

// Reader is the read model as these pages see it. All of it is limited to the tenant, or to a ticket that was found in it.
type Reader interface {
	// Ticket finds by number or UUID; NotFound when the tenant has no such ticket.
	Ticket(ctx context.Context, tenant, key string) (ticket.Ticket, error)
	// Relations gives all relations of a ticket, as it was read, in the order in which the types were first added.
	Relations(ctx context.Context, t ticket.Ticket) ([]ticket.Relation, error)
	// Message gives one message; NotFound.
	Message(ctx context.Context, ticketID int64, id string) (ticket.MessageRecord, error)
	// Messages gives a part of the conversation, oldest first: at most limit messages after the first so many.
	Messages(ctx context.Context, ticketID int64, after, limit int) ([]ticket.MessageRecord, error)
	// EntriesBefore gives the entries of a timeline that stand right before a position, oldest first: events, with Before completed, and alerts.
	// Before the zero position stand all.
	EntriesBefore(ctx context.Context, ticketID int64, before notice.Position, limit int) ([]notice.Entry, error)
	// LastMove gives the last event before a number that says which version of its service the ticket runs through.
	LastMove(ctx context.Context, ticketID int64, before int64) (ticket.Event, error)
	// CountEntries counts what EntriesBefore gives in all, but for alerts of lasting subscriptions.
	CountEntries(ctx context.Context, ticketID int64) (int, error)
	// Registered lists the addresses of a ticket that are active or dropped, oldest first, with counts of their deliveries by state, in pages.
	Registered(ctx context.Context, ticketID int64, cursor string, limit int) (items []notice.Registration, next string, err error)
	// Registration is one of them; NotFound.
	Registration(ctx context.Context, of notice.Owner, id string) (notice.Registration, error)
	// Deliveries lists all deliveries to one subscription, of a ticket's those about it, newest first, with every attempt. cursor as in ticket.Filter.
	Deliveries(ctx context.Context, of notice.Owner, subscription, cursor string, limit int) (items []notice.DeliveryRecord, next string, err error)
	// Register gives the active subscription of an address on the ticket, or makes one. It joins the transaction that ctx carries. TooMany: no more are taken.
	Register(ctx context.Context, t ticket.Ticket, want notice.Subscription) (notice.Subscription, error)
	// Redeliver starts a new round of tries of one delivery under the same ID; likewise. NotFound; Conflict: it is still being tried, or nothing is sent there now.
	Redeliver(ctx context.Context, of notice.Owner, id, delivery string) error
	// BeginRedelivery has those deliveries of a subscription sent again that a selection names. Conflict: nothing is sent there now. It joins the transaction that ctx carries.
	BeginRedelivery(ctx context.Context, of notice.Owner, subscription string, sel notice.Selection, dry bool) (notice.Redelivery, error)
	// Rotate gives an address a new secret that what is sent to it is signed with, and tells it. Unsubscribe has it told nothing any more. They join the transaction that ctx carries.
	Rotate(ctx context.Context, of notice.Owner, id string) (secret string, err error)
	Unsubscribe(ctx context.Context, of notice.Owner, id string) error
	// Followers gives who follows a ticket, at most limit of them: first is the first of them, if they do.
	Followers(ctx context.Context, t ticket.Ticket, first string, limit int) ([]string, error)
	// Follow has somebody follow a ticket, or follow it no more, whichever it was before. It joins the transaction that ctx carries.
	Follow(ctx context.Context, t ticket.Ticket, person string, on bool) error
	// Ratings gives the ratings of those of the tickets that have one, by ticket.
	Ratings(ctx context.Context, tickets []int64) (map[int64]ticket.Rating, error)
	// Rate keeps a rating of a tenant's ticket. Conflict: it is not completed, or has one already. It joins the transaction that ctx carries.
	Rate(ctx context.Context, tenant, key string, r ticket.Rating) error
	// ServiceRecords lists the services that tickets can be opened for, and ServiceRecord gives one of them; NotFound.
	ServiceRecords(ctx context.Context, tenant string) ([]ticket.ServiceRecord, error)
	ServiceRecord(ctx context.Context, tenant, key string) (ticket.ServiceRecord, error)
	// ServiceVersions lists the versions of a service, the latest first, and ServiceVersion gives one of them; NotFound.
	ServiceVersions(ctx context.Context, tenant, key, cursor string, limit int) (list []ticket.ServiceRecord, next string, err error)
	ServiceVersion(ctx context.Context, tenant, key string, version int) (flow.Definition, error)
}

// Room is the area. Reader and Desk are needed.
type Room struct {
	Reader Reader
	Desk   api.Desk
	// Directory tells who is there, for whoever names a person; nil: nobody knows.
	Directory Directory
	Types     []string     // the words taken for the type of a solution; none: any
	Reach     notice.Reach // where addresses that are registered may lead
	Temporal  page.Temporal
	// Begin has a redelivery that was asked for begun at once. What it cannot do the sweep does; it may be nil.
	Begin func(ctx context.Context, redelivery string)
	// The IDs of the workflows that links lead to; nil: no link to that kind.
	TicketWorkflow func(number string, generation int) string
	LaneWorkflow   func(lane notice.Lane) string
}

// Area gives its routes.
func (s *Room) Area() page.Area {
	get := func(path string, do page.Handler) page.Route {
		return page.Route{Method: http.MethodGet, Path: path, Right: page.Read, Do: do}
	}
	of := func(h func(*page.Visit, header) error) page.Handler { // for pages of one ticket
		return func(v *page.Visit) error {
			found, err := s.header(v)
			if err != nil {
				return err
			}
			return h(v, found)
		}
	}
	return page.Area{
		Routes: []page.Route{
			{Method: http.MethodGet, Path: "/tickets/new", Right: page.Act, Do: s.draft},
			{Method: http.MethodPost, Path: "/tickets/new", Right: page.Act, Do: s.open},
			get("/ticket/:number", of(s.show)),
			{Method: http.MethodPost, Path: "/ticket/:number/act", Right: page.Act, Do: of(s.act)},
			{Method: http.MethodPost, Path: "/ticket/:number/follow", Right: page.Act, Do: of(s.follow)},
			{Method: http.MethodPost, Path: "/ticket/:number/rate", Right: page.Act, Do: of(s.rate)},
			{Method: http.MethodGet, Path: "/ticket/:number/say", Right: page.Act, Do: of(s.edit)},
			{Method: http.MethodPost, Path: "/ticket/:number/say", Right: page.Act, Do: of(s.say)},
			{Method: http.MethodPost, Path: "/ticket/:number/relate", Right: page.Act, Do: of(s.relate)},
			{Method: http.MethodPost, Path: "/ticket/:number/register", Right: page.Act, Do: of(s.register)},
			{Method: http.MethodPost, Path: "/ticket/:number/resend", Right: page.Act, Do: of(s.resend)},
			{Method: http.MethodPost, Path: "/ticket/:number/deliveries/:subscription/stop", Right: page.Act, Do: of(s.stop)},
			{Method: http.MethodPost, Path: "/ticket/:number/deliveries/:subscription/rotate", Right: page.Act, Do: of(s.rotate)},
			{Method: http.MethodPost, Path: "/ticket/:number/deliveries/:subscription/redeliver", Right: page.Act, Do: of(s.redeliver)},
			{Method: http.MethodGet, Path: "/ticket/:number/migrate", Right: page.Admin, Do: of(s.migration)},
			{Method: http.MethodPost, Path: "/ticket/:number/migrate", Right: page.Admin, Do: of(s.migrate)},
			get("/ticket/:number/live", of(s.live)),
			get("/ticket/:number/timeline", of(s.timeline)),
			get("/ticket/:number/conversation", of(s.conversation)),
			get("/ticket/:number/relations", of(s.relation)),
			get("/ticket/:number/deliveries/:subscription", of(s.deliveries)),
			get("/ticket/:number/diagram.svg", of(s.diagram)),
		},
	}
}
