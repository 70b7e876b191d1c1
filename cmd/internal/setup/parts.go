package setup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signalbox/activities"
	"signalbox/api"
	"signalbox/api/exception"
	"signalbox/api/incident"
	"signalbox/api/issue"
	"signalbox/api/openapi"
	"signalbox/api/service"
	"signalbox/console"
	"signalbox/desk"
	"signalbox/worker"
	"signalbox/workflows"
)

// API, Worker and Migrate are all settings of one program each.
type (
	API struct {
		Base
		HTTPAddress string `envconfig:"HTTP_ADDRESS" default:":8080" desc:"host:port to serve on"`
		APISettings
	}
	Worker struct {
		Base
		WorkerHTTPAddress string `envconfig:"WORKER_HTTP_ADDRESS" default:":9090" desc:"host:port for /healthz, /readyz and /metrics"`
		WorkerSettings
	}
	Migrate struct {
		Base
		TemporalRetention time.Duration `split_words:"true" default:"168h" desc:"how long a namespace that is made here keeps closed workflows"`
		BootstrapApp      Bootstrap     `split_words:"true" desc:"code:secret of an admin app that is made sure of"`
	}
)

// APISettings are the settings of a process that serves the families.
type APISettings struct {
	BootstrapApp  Bootstrap `split_words:"true" desc:"code:secret of an admin app that is made sure of at the start"`
	TemporalUI    string    `envconfig:"TEMPORAL_UI" desc:"address of the Temporal web UI, for links on the operators' pages"`
	SecureCookies bool      `split_words:"true" desc:"keep the sessions of the operators' pages to https, behind a proxy that does not say so"`
	api.Config
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
func (h *House) EnsureBootstrap(ctx context.Context, b Bootstrap) error {
	if b.Code == "" {
		return nil
	}
	if err := h.Store.EnsureApp(ctx, b.Code, b.Secret, bootstrapTenant, []desk.Scope{desk.Admin}); err != nil {
		return fmt.Errorf("bootstrap app %s: %w", b.Code, err)
	}
	return nil
}

// API puts the front desk together: all families over this house.
//
// metrics is what /metrics shows.
func (h *House) API(s APISettings, metrics *prometheus.Registry, log *slog.Logger) (*api.Server, error) {
	config := s.Config.Defaults()
	issues := &issue.Wing{Desk: h.Desk, Tickets: h.Store, Services: h.Store, Addresses: h.Store, Types: config.IncidentTypes, Allow: config.CallbackAllow}
	incidents := &incident.Wing{Desk: h.Desk, Records: h.Store, Apps: h.Store, Types: config.IncidentTypes, Now: time.Now}
	exceptions := &exception.Wing{Desk: h.Desk, Budget: h.Store, Limit: config.ExceptionsPerMinute, Now: time.Now}
	services := &service.Wing{Desk: h.Desk, Services: h.Store, Now: time.Now}
	server := api.New(config, h.Store, h.Ready, log, issues.Family(), services.Family(), incidents.Family(), exceptions.Family())
	openapi.Mount(server)
	server.Measure(metrics)
	pages, err := console.New(console.Config{
		Apps: h.Store, Records: h.Store, Key: h.key, Now: time.Now, Log: log, Secure: s.SecureCookies, Diagram: console.Draw,
		TemporalUI: s.TemporalUI, Namespace: h.Engine.Namespace, TicketWorkflow: workflows.TicketID, LaneWorkflow: workflows.LaneID,
	})
	if err != nil {
		return nil, err
	}
	pages.Mount(server.App())
	return server, nil
}

// WorkerSettings are the settings of a process that works.
type WorkerSettings struct {
	WorkerQueues        []string       `split_words:"true" default:"tickets,deliveries" desc:"which task queues to serve"`
	CallbackAllow       []netip.Prefix `split_words:"true" desc:"networks that notifications may be sent to although they are not public, as CIDR"`
	DeliveryConcurrency int            `split_words:"true" default:"64" desc:"deliveries of one partition under way at the same time"`
	DeploymentName      string         `split_words:"true" desc:"turns worker versioning on, together with the build ID"`
	SweepEvery          time.Duration  `split_words:"true" default:"30s" desc:"how often what a crash left open is looked for"`
	BuildID             string         `envconfig:"BUILD_ID" desc:"turns worker versioning on, together with the deployment name"`
}

// Workers puts the workers together over this house.
func (h *House) Workers(s WorkerSettings, partitions int, log *slog.Logger) (worker.Workers, error) {
	return worker.New(h.Client, worker.Options{
		Queues:     s.WorkerQueues,
		Activities: &activities.Activities{Desk: h.Desk},
		Deliveries: &activities.Deliveries{
			Outbox:      h.Store.Outbox(),
			Sender:      activities.NewSender(activities.SenderOptions{Guard: activities.Guard{Allow: s.CallbackAllow}, Now: time.Now}),
			Lanes:       workflows.Lanes{Client: h.Client, Namespace: h.Engine.Namespace},
			Partitions:  partitions,
			Concurrency: s.DeliveryConcurrency,
			Now:         time.Now,
			Log:         log,
		},
		DeploymentName: s.DeploymentName, BuildID: s.BuildID,
	})
}

// EnsureSweep makes sure that the sweep runs, and with it the partitions. It waits for a Temporal that is not there yet.
func (h *House) EnsureSweep(ctx context.Context, every time.Duration, log *slog.Logger) error {
	for {
		err := workflows.EnsureSweep(ctx, h.Client, every)
		if err == nil || ctx.Err() != nil {
			return err
		}
		log.Warn("sweep.ensure", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(2 * time.Second):
		}
	}
}
