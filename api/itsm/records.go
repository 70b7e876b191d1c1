// Package itsm is the itsm family: tickets through services with approvals, and the callback when they end, as seed 002 tells third parties to
// use them. What the seed leaves open follows the original system's real clients; "itsm.md" in comments is the sheet of facts about it.
package itsm

import (
	"context"

	"signalbox/flow"
	"signalbox/people"
	"signalbox/ticket"
)

// Tickets is the read model as this family sees it. Everything is limited to the tenant or to tickets that were found in it.
type Tickets interface {
	// Ticket finds by number or UUID; NotFound when the tenant has no such ticket.
	Ticket(ctx context.Context, tenant, key string) (ticket.Ticket, error)
	// Search gives a page, newest first, and how many there are on all pages.
	Search(ctx context.Context, tenant string, f ticket.Search) (items []ticket.Ticket, total int, err error)
	// Timeline gives events after a sequence number, oldest first.
	Timeline(ctx context.Context, ticketID int64, after int64, limit int) ([]ticket.Event, error)
	// Actors gives, by ticket, everybody who moved it, in order.
	Actors(ctx context.Context, tickets []int64) (map[int64][]string, error)
	// FollowersOf gives, by ticket, who follows each, in the order of their ids.
	FollowersOf(ctx context.Context, list []ticket.Ticket) (map[int64][]string, error)
	// Ratings gives the ratings of those of the tickets that have one.
	Ratings(ctx context.Context, tickets []int64) (map[int64]ticket.Rating, error)
	// Rate keeps a rating. NotFound: there is no such ticket; Conflict: it is not completed (field "status"), or has one already (field
	// "stars"). It joins the transaction that ctx carries.
	Rate(ctx context.Context, tenant, key string, r ticket.Rating) error
	// FailedCallbacks lists the numbers of tickets whose callback was given up, until Unlist.
	FailedCallbacks(ctx context.Context, tenant string) ([]string, error)
	// Unlist takes tickets off that list, those alone that are over. It joins the transaction that ctx carries.
	Unlist(ctx context.Context, tenant string, tickets []int64) error
	// VerifyToken reports whether a token is that of a ticket of the tenant's.
	VerifyToken(ctx context.Context, tenant, token string) (bool, error)
	// TicketURL is where people see a ticket.
	TicketURL(number string) string
}

// People answers what is asked about a tenant's people.
type People interface {
	// Lookup gives all of what is wanted.
	Lookup(ctx context.Context, tenant string, want people.Want) (people.Facts, error)
}

// Services is the published services, the built-in ones included, and the catalogs that they stand in. A version never changes.
type Services interface {
	// ServiceRecords lists the latest versions of all.
	ServiceRecords(ctx context.Context, tenant string) ([]ticket.ServiceRecord, error)
	// ServiceRecord gives the latest version of one; NotFound when there is none of this key.
	ServiceRecord(ctx context.Context, tenant, key string) (ticket.ServiceRecord, error)
	// ServiceByNumber finds the latest version by the service's integer id; NotFound when there is none.
	ServiceByNumber(ctx context.Context, tenant string, number int64) (ticket.ServiceRecord, error)
	// ServiceVersion gives one version; NotFound when there is none.
	ServiceVersion(ctx context.Context, tenant, key string, version int) (flow.Definition, error)
	// PublishService makes a definition without faults the next version of its service, and gives it with its version and integer ids; one that says what
	// the latest version says is that version. It joins the transaction that ctx carries, as the others do that write.
	PublishService(ctx context.Context, tenant, app string, def flow.Definition) (flow.Definition, error)
	// EnableService says whether a service opens new tickets.
	EnableService(ctx context.Context, tenant, key string, enabled bool) error
	// KnownGroups gives those of a tenant's groups that there are, out of some by their ids.
	KnownGroups(ctx context.Context, tenant string, ids []string) ([]string, error)
	// Catalogs lists the catalogs that a tenant made.
	Catalogs(ctx context.Context, tenant string) ([]ticket.Catalog, error)
	// EnsureCatalog gives the id of the catalog of this name in its parent, and makes it where there is none.
	EnsureCatalog(ctx context.Context, tenant, app string, c ticket.Catalog) (int64, error)
	// ImportedServices lists the services that a tenant imported.
	ImportedServices(ctx context.Context, tenant string) ([]ticket.ImportedService, error)
	// RecordImport keeps where a service was imported to. Conflict: another service of the catalog has the name.
	RecordImport(ctx context.Context, tenant, app string, s ticket.ImportedService) error
}
