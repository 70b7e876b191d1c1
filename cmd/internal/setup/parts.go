package setup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/converter"

	"signalbox/api"
	"signalbox/api/audit"
	"signalbox/api/calendar"
	"signalbox/api/codec"
	"signalbox/api/directory"
	"signalbox/api/exception"
	"signalbox/api/incident"
	"signalbox/api/issue"
	"signalbox/api/itsm"
	"signalbox/api/openapi"
	"signalbox/api/publish"
	"signalbox/api/scim"
	"signalbox/api/service"
	"signalbox/api/subscription"
	"signalbox/console"
	"signalbox/console/mailbox"
	"signalbox/desk"
	"signalbox/notice"
	"signalbox/workflows"
)

// API, Worker and Migrate are all settings of one program each.
type (
	API struct {
		Base
		Profiles
		HTTPAddress         string        `envconfig:"HTTP_ADDRESS" default:":8080" desc:"host:port to serve on"`
		DatabaseConnections int           `split_words:"true" default:"20" desc:"most connections of a process to PostgreSQL at once, beside two to watch it and to listen; a worker has 10 unless set"`
		StopDelay           time.Duration `split_words:"true" default:"5s" desc:"how long requests are still taken after /readyz says that the process ends; as long as balancers take to notice"`
		APISettings
	}
	Worker struct {
		Base
		Profiles
		WorkerHTTPAddress   string `envconfig:"WORKER_HTTP_ADDRESS" default:":9090" desc:"host:port for /healthz, /readyz and /metrics"`
		DatabaseConnections int    `split_words:"true" default:"10" desc:"most connections of a process to PostgreSQL at once, beside two to watch it and to listen"`
		WorkerSettings
	}
	Migrate struct {
		Base
		TemporalRetention time.Duration `split_words:"true" default:"168h" desc:"how long a namespace that is made here keeps closed workflows"`
		BootstrapApp      Bootstrap     `split_words:"true" desc:"code:secret of an admin app, of the tenant default, that the start makes sure of"`
		Admins
	}
)

// APISettings are the settings of a process that serves the families.
type APISettings struct {
	BootstrapApp  Bootstrap `split_words:"true" desc:"code:secret of an admin app, of the tenant default, that the start makes sure of"`
	TemporalUI    string    `envconfig:"TEMPORAL_UI" desc:"address of the Temporal web UI, for links on the pages"`
	SecureCookies bool      `split_words:"true" desc:"keep the sessions of the pages to https although the proxy in front does not say that it speaks https"`

	// Mailbox has the pages show what was mailed; only development has one.
	Mailbox func() []mailbox.Mail `ignored:"true"`

	PublishAnonymous bool   `split_words:"true" desc:"let callers without a credential publish events (/api/publish), into the tenant set beside it"`
	PublishTenant    string `split_words:"true" desc:"tenant that callers without a credential publish into"`
	api.Config
	itsm.Settings
	codec.Access
	Admins
	OIDC
}

// openTenant is the tenant that anonymous callers publish into; empty: there are none.
func (s APISettings) openTenant() string {
	if !s.PublishAnonymous {
		return ""
	}
	return s.PublishTenant
}

// Bootstrap is an app's code and secret.
type Bootstrap struct{ Code, Secret string }

// Decode reads code:secret; envconfig calls it.
func (b *Bootstrap) Decode(text string) error {
	code, secret, ok := strings.Cut(text, ":")
	if !ok || code == "" || secret == "" {
		return errors.New("must be code:secret")
	}
	b.Code, b.Secret = code, secret
	return nil
}

// bootstrapTenant is the tenant of the bootstrap app.
const bootstrapTenant = "default"

// EnsureBootstrap makes sure of the bootstrap app, if there is one among the settings.
func (c *Container) EnsureBootstrap(ctx context.Context, b Bootstrap) error {
	if b.Code == "" {
		return nil
	}
	if err := c.Store.EnsureApp(ctx, b.Code, b.Secret, bootstrapTenant, []desk.Scope{desk.Admin}); err != nil {
		return fmt.Errorf("bootstrap app %s: %w", b.Code, err)
	}
	return nil
}

// API puts the front desk together: all families over this container.
//
// metrics is what /metrics shows.
func (c *Container) API(s APISettings, metrics *prometheus.Registry, log *slog.Logger) (*api.Server, error) {
	config := s.Config.Defaults()
	begin := func(ctx context.Context, redelivery string) {
		if err := c.lanes().StartRedelivery(ctx, redelivery); err != nil {
			log.WarnContext(ctx, "redelivery.begin", "redelivery", redelivery, "error", err)
		}
	}
	hasten := func(ctx context.Context, lane notice.Lane) {
		if err := c.lanes().Hasten(ctx, lane); err != nil {
			log.WarnContext(ctx, "lane.hasten", "subscription", lane.Subscription, "ticket_id", lane.TicketID, "error", err)
		}
	}
	issues := &issue.Handler{Desk: c.Desk, Tickets: c.Store, Services: c.Store, Addresses: c.Store, Allow: config.Reach(),
		Begin: begin, Hasten: hasten}
	incidents := &incident.Handler{Desk: c.Desk, Reader: c.Store, Apps: c.Store, Types: config.IncidentTypes, Now: time.Now}
	exceptions := &exception.Handler{Desk: c.Desk, Budget: c.Store, Limit: config.ExceptionsPerMinute, Ahead: config.ExceptionClockAhead, Now: time.Now}
	services := &service.Handler{Desk: c.Desk, Services: c.Store, Now: time.Now}
	persons := &directory.Handler{Desk: c.Desk, People: c.Store, Allow: config.Reach(), Now: time.Now}
	calendars := &calendar.Handler{Desk: c.Desk, Calendars: c.Store, Now: time.Now}
	provisioned := &scim.Handler{Desk: c.Desk, People: c.Store}
	publishes := &publish.Handler{Desk: c.Desk, Stream: c.Store, Apps: c.Store, Now: time.Now, Open: s.openTenant()}
	subscriptions := &subscription.Handler{Desk: c.Desk, Subscriptions: c.Store, Deliveries: c.Store, Allow: config.Reach(), Begin: begin, Hasten: hasten}
	tickets := &itsm.Handler{Desk: c.Desk, Tickets: c.Store, Services: c.Store, People: c.Store, Apps: c.Store, Types: config.IncidentTypes, Allow: config.Reach(),
		Profile: string(s.ITSMCallbackProfile), Zone: c.zone}
	refusals := api.NewRefusals(c.Store)
	front, err := console.New(s.OIDC.pages(console.Config{
		Apps: c.Store, People: c.Store, AdminGroup: s.AdminGroup, PublicURL: string(c.public), Desk: c.Desk, Reader: c.Store, Services: c.Store, Directory: c.Store, Calendars: c.Store,
		Subscriptions: c.Store, Deliveries: c.Store, Begin: begin, Hasten: hasten, Callers: c.Store, Audit: c.Store, Refusals: refusals, Types: config.IncidentTypes, Key: c.key, Zone: c.zone, Now: time.Now, Log: log,
		Secure: s.SecureCookies, Address: api.Address, Reach: config.Reach(), Mailbox: s.Mailbox,
		TemporalUI: s.TemporalUI, Namespace: c.Engine.Namespace, TicketWorkflow: workflows.TicketID, LaneWorkflow: workflows.LaneID,
	}))
	if err != nil {
		return nil, err
	}
	payloads := &codec.Handler{Access: s.Access, Handler: converter.NewPayloadCodecHTTPHandler(c.Engine.Codec), Session: front.SignedIn, App: c.Store.App, Log: log}
	server := api.New(config, c.Store, c.Ready, log, append(tickets.Families(), issues.Family(), services.Family(), calendars.Family(), incidents.Family(),
		exceptions.Family(), publishes.Family(), subscriptions.Family(), persons.Family(), provisioned.Family(), payloads.Family(), (&audit.Handler{Reader: c.Store}).Family())...)
	server.ReadyToRead(c.ReadyToRead)
	server.Share(c.Store)
	server.AuditRefusals(c.Store)
	refusals.Lost = server.Unwritten
	server.CacheReads(c.Desk)
	openapi.Mount(server)
	server.Measure(metrics)
	server.Trace(c.tracer, console.AssetsPath)
	front.Mount(server.App())
	server.Browsers(front.Nothing())
	return server, nil
}
