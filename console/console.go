// Package console is the pages: where people see what waits for them and act, and operators see what is wrong and mend it. It joins the areas, each a package of
// its own, on the frame in console/page. The pages need no JavaScript; htmx, where there is some, saves a reload.
package console

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/console/apps"
	"signalbox/console/audit"
	"signalbox/console/calendars"
	"signalbox/console/deliveries"
	"signalbox/console/docs"
	"signalbox/console/inbox"
	"signalbox/console/list"
	"signalbox/console/mailbox"
	"signalbox/console/overview"
	"signalbox/console/page"
	"signalbox/console/people"
	"signalbox/console/services"
	"signalbox/console/settings"
	"signalbox/console/signin"
	"signalbox/console/subscriptions"
	"signalbox/console/tickets"
	"signalbox/desk"
	"signalbox/notice"
)

// Reader is the read model as the pages of tickets see it.
type Reader interface {
	tickets.Reader
	inbox.Reader
	list.Reader
	list.Views
	overview.Reader
}

// AssetsPath is where the scripts, styles and pictures of the pages are, which are the same for everybody.
const AssetsPath = page.AssetsPath

// Config is what the pages stand on. Apps, Desk, Key, Now and all that the areas read are needed.
type Config struct {
	Apps          signin.Apps
	People        signin.People // nil: nobody signs in as a person
	Desk          api.Desk      // by which everything that changes something is done
	Reader        Reader
	Services      services.Records
	Directory     people.Directory
	Calendars     calendars.Records
	Subscriptions subscriptions.Subscriptions
	Callers       apps.Apps
	Audit         audit.Reader
	Refusals      page.Audit // what was refused to somebody who is known is written down there; nil: it is not
	Deliveries    deliveries.Deliveries
	Key           []byte           // the master key, at least 32 bytes; the key of the sessions is derived from it
	Now           func() time.Time //
	Zone          *time.Location   // in which the days of the overview are counted; UTC unless set
	Log           *slog.Logger     // slog.Default unless set
	Timeout       time.Duration    // how long a page may take; 10 s unless set
	Types         []string         // the words taken for the type of a solution; none: any

	Reach  notice.Reach                                 // where addresses may lead that are told of something
	Begin  func(ctx context.Context, redelivery string) // has a redelivery begun at once; nil: the sweep begins it
	Hasten func(ctx context.Context, lane notice.Lane)  // has what is next in a lane looked at now; nil: it is when that was planned

	// Secure keeps the session cookie to https even where a request does not look like it. A request that does (TLS, or X-Forwarded-Proto
	// from a proxy that the application trusts) gets a secure cookie anyway.
	Secure bool
	// Address tells where a request comes from, for the throttle of sign-ins; nil means the address that Fiber finds. Behind a proxy that
	// Fiber was not told of, everybody comes from the proxy, and one who guesses keeps all others from signing in for a while.
	Address func(c *fiber.Ctx) string

	// AdminGroup is the group whose members are admins.
	AdminGroup string
	// Provider is the identity provider that people sign in by, ProviderTenant whose they are, and ProviderLabel what its button says. Nil: there is none.
	Provider       signin.Provider
	ProviderTenant string
	ProviderLabel  string
	// PublicURL is where people find the pages.
	PublicURL string

	// Mailbox gives the mails that were handed in, oldest first, where a development system shows them in place of sending them; nil: there is no such page.
	Mailbox func() []mailbox.Mail

	// TemporalUI is the address of the Temporal web UI, http or https; empty: no links into it.
	TemporalUI string
	Namespace  string // in Temporal; "default" unless set
	// The IDs of the workflows that links lead to; nil: no link to that kind.
	TicketWorkflow func(number string, generation int) string
	LaneWorkflow   func(lane notice.Lane) string
}

// Console is the pages, ready to be mounted.
type Console struct {
	site  *page.Site
	areas []page.Area
}

// New makes the pages, or tells what is wrong with the config.
func New(config Config) (*Console, error) {
	for name, missing := range map[string]bool{"Apps": config.Apps == nil, "Desk": config.Desk == nil, "Reader": config.Reader == nil, "Services": config.Services == nil, "Directory": config.Directory == nil,
		"Calendars": config.Calendars == nil, "Subscriptions": config.Subscriptions == nil, "Callers": config.Callers == nil, "Audit": config.Audit == nil, "Deliveries": config.Deliveries == nil, "Now": config.Now == nil} {
		if missing {
			return nil, fmt.Errorf("console: %s is needed", name)
		}
	}
	temporal, err := page.NewTemporal(config.TemporalUI, config.Namespace)
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	if config.Provider != nil && config.People == nil {
		return nil, fmt.Errorf("console: Provider needs People")
	}
	entrance := signin.New(signin.Config{Apps: config.Apps, People: config.People, Desk: config.Desk, Now: config.Now, AdminGroup: config.AdminGroup,
		Provider: config.Provider, Tenant: config.ProviderTenant, Label: config.ProviderLabel, PublicURL: config.PublicURL})
	site, err := page.New(page.Config{Key: config.Key, Now: config.Now, Log: config.Log, Timeout: config.Timeout, Secure: config.Secure, Address: config.Address, Audit: config.Refusals, Who: entrance.Who, Names: config.Directory.PersonNames})
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	c := &Console{site: site, areas: []page.Area{
		(&inbox.Room{Reader: config.Reader, Desk: config.Desk}).Area(),
		(&list.Room{Reader: config.Reader, Views: config.Reader, Desk: config.Desk}).Area(),
		(&overview.Room{Reader: config.Reader, Services: config.Services, Zone: config.Zone}).Area(),
		entrance.Area(),
		(&settings.Room{}).Area(),
		(&docs.Room{PublicURL: config.PublicURL}).Area(),
		(&tickets.Room{Reader: config.Reader, Desk: config.Desk, Directory: config.Directory, Types: config.Types, Reach: config.Reach, Begin: config.Begin, Temporal: temporal, TicketWorkflow: config.TicketWorkflow, LaneWorkflow: config.LaneWorkflow}).Area(),
		(&services.Room{Desk: config.Desk, Records: config.Services, Tickets: config.Reader, Now: config.Now}).Area(),
		(&calendars.Room{Desk: config.Desk, Records: config.Calendars, Now: config.Now}).Area(),
		(&people.Room{Desk: config.Desk, Directory: config.Directory, Allow: config.Reach, Now: config.Now, Passwords: config.People, Forget: entrance.Forget}).Area(),
		(&subscriptions.Room{Desk: config.Desk, Subscriptions: config.Subscriptions, Allow: config.Reach}).Area(),
		(&deliveries.Room{Desk: config.Desk, Deliveries: config.Deliveries, Begin: config.Begin, Hasten: config.Hasten, Temporal: temporal, LaneWorkflow: config.LaneWorkflow}).Area(),
		(&apps.Room{Desk: config.Desk, Apps: config.Callers}).Area(),
		(&audit.Room{Reader: config.Audit}).Area(),
	}}
	if config.Mailbox != nil {
		c.areas = append(c.areas, (&mailbox.Room{Mails: config.Mailbox}).Area())
	}
	return c, nil
}

// Mount serves the pages on an application, whose strings must be Immutable.
// They answer in HTML whatever happens; no error reaches the application's own handler.
func (s *Console) Mount(app *fiber.App) { s.site.Mount(app, s.areas...) }

// Nothing answers with the page that says that nothing is there, for paths outside of those that are mounted.
func (s *Console) Nothing() fiber.Handler { return s.site.Nothing() }

// SignedIn tells who a request's cookie says has signed in as an app: its code, which may be disabled by now, and a name. For doors beside the pages.
func (s *Console) SignedIn(c *fiber.Ctx) (app, operator string, ok bool) {
	in := s.site.Session(c)
	return in.App, in.Person, in.SignedIn() && in.App != desk.PagesApp
}
