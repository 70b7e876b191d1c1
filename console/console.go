// Package console is the operators' pages: what a ticket is, where it stands, whom it asks, what happened to it and whom it was told to.
// The pages only read. They need no JavaScript; htmx, where there is some, saves a reload.
package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/gofiber/fiber/v2"

	"signalbox/desk"
	"signalbox/notice"
	"signalbox/ticket"
)

// Apps finds the apps that operators sign in with. Not finding an enabled one is an Unauthorized refusal; any other error means that it
// cannot be told.
type Apps interface {
	// ByCode finds an app by its code and checks the secret.
	ByCode(ctx context.Context, code, secret string) (desk.App, error)
	// App finds an app by its code alone. It is asked on every request of somebody who has signed in, and what it says may be some seconds old.
	App(ctx context.Context, code string) (desk.App, error)
}

// Reader is the read model as the pages see it. All of it is limited to the tenant, or to a ticket that was found in it.
type Reader interface {
	// Ticket finds by number or UUID; NotFound when the tenant has no such ticket.
	Ticket(ctx context.Context, tenant, key string) (ticket.Ticket, error)
	// Tickets lists newest first.
	Tickets(ctx context.Context, tenant string, f ticket.Filter) (ticket.Page, error)
	// Relations gives all relations of a ticket, as it was read, in the order in which the types were first added.
	Relations(ctx context.Context, t ticket.Ticket) ([]ticket.Relation, error)
	// Messages gives a part of the conversation, oldest first: at most limit messages after the first so many.
	Messages(ctx context.Context, ticketID int64, after, limit int) ([]ticket.MessageRecord, error)
	// EntriesBefore gives the entries of a timeline that stand right before a position, oldest first: events, with Before completed, and alerts.
	// Before the zero position stand all.
	EntriesBefore(ctx context.Context, ticketID int64, before notice.Position, limit int) ([]notice.Entry, error)
	// Registered lists the addresses of a ticket that are active or dropped, oldest first, with counts of their deliveries by state, in pages.
	Registered(ctx context.Context, ticketID int64, cursor string, limit int) (items []notice.Registration, next string, err error)
	// Registration is one of them; NotFound.
	Registration(ctx context.Context, of notice.Owner, id string) (notice.Registration, error)
	// Deliveries lists all deliveries to one subscription, of a ticket's those about it, newest first, with every attempt. cursor as in ticket.Filter.
	Deliveries(ctx context.Context, of notice.Owner, subscription, cursor string, limit int) (items []notice.DeliveryRecord, next string, err error)
}

// Config is what the pages stand on. Apps, Reader, Key and Now are needed.
type Config struct {
	Apps    Apps
	Reader  Reader
	Key     []byte           // the master key, at least 32 bytes; the key of the sessions is derived from it
	Now     func() time.Time //
	Log     *slog.Logger     // slog.Default unless set
	Timeout time.Duration    // how long a page may take; 10 s unless set

	// Secure keeps the session cookie to https even where a request does not look like it. A request that does (TLS, or X-Forwarded-Proto
	// from a proxy that the application trusts) gets a secure cookie anyway.
	Secure bool
	// Address tells where a request comes from, for the throttle of sign-ins; nil means the address that Fiber finds. Behind a proxy that
	// Fiber was not told of, everybody comes from the proxy, and one who guesses keeps all others from signing in for a while.
	Address func(c *fiber.Ctx) string

	// Diagram draws the process of a ticket as SVG, with what is done, current and skipped marked; see Draw. Nil, or no picture, or an error:
	// the page lists the nodes alone.
	Diagram func(ctx context.Context, t ticket.Ticket) (svg []byte, err error)

	// Mailbox gives the mails that were handed in, oldest first, where a development system shows them in place of sending them; nil: there is no such page.
	Mailbox func() []Mail

	// TemporalUI is the address of the Temporal web UI, http or https; empty: no links into it.
	TemporalUI string
	Namespace  string // in Temporal; "default" unless set
	// The IDs of the workflows that links lead to; nil: no link to that kind.
	TicketWorkflow func(number string, generation int) string
	LaneWorkflow   func(lane notice.Lane) string
}

// Console is the operators' pages, ready to be mounted.
type Console struct {
	Config
	cookies  *cookies
	throttle *throttle
}

// New makes the pages, or tells what is wrong with the config.
func New(config Config) (*Console, error) {
	if config.Apps == nil || config.Reader == nil || config.Now == nil {
		return nil, errors.New("console: Apps, Reader and Now are needed")
	}
	config.Log = cmp.Or(config.Log, slog.Default())
	config.Timeout = cmp.Or(config.Timeout, 10*time.Second)
	config.Namespace = cmp.Or(config.Namespace, "default")
	if config.TemporalUI != "" {
		u, err := url.Parse(config.TemporalUI)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, fmt.Errorf("console: the address of the Temporal UI, %q, is no http or https URL", config.TemporalUI)
		}
	}
	cookies, err := newCookies(config.Key)
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	return &Console{Config: config, cookies: cookies, throttle: newThrottle(config.Now)}, nil
}

// Mount serves the pages on an application, whose strings must be Immutable: /, /login, /logout, /tickets, /ticket/…, in development /mailbox, and /console/assets/….
// They answer in HTML whatever happens; no error reaches the application's own handler.
func (s *Console) Mount(app *fiber.App) {
	if !app.Config().Immutable {
		panic("console: the application's strings change under whoever keeps them; set Immutable")
	}
	mountAssets(app)
	get := func(path string, h handler) { app.Get(path, s.page(s.signedIn(h))) }
	of := func(h func(*request, header) error) handler { // for pages of one ticket
		return func(q *request) error {
			found, err := s.header(q)
			if err != nil {
				return err
			}
			return h(q, found)
		}
	}

	app.Get("/", s.page(func(q *request) error { return q.redirect(home) }))
	app.Get("/login", s.page(s.askIn))
	app.Post("/login", s.page(s.signIn))
	app.Post("/logout", s.page(s.signOut))
	get("/tickets", s.list)
	get("/tickets/*", s.nowhere)
	get("/ticket/:number", of(s.show))
	get("/ticket/:number/timeline", of(s.timeline))
	get("/ticket/:number/conversation", of(s.conversation))
	get("/ticket/:number/relations", of(s.relation))
	get("/ticket/:number/deliveries/:subscription", of(s.deliveries))
	get("/ticket/:number/diagram.svg", of(s.diagram))
	get("/ticket/*", s.nowhere)
	if s.Mailbox != nil {
		get("/mailbox", s.mailbox)
	}
}

// home is the page that one comes to who asked for none.
const home = "/tickets"

func (s *Console) nowhere(*request) error { return errNoPage }
