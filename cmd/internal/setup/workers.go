package setup

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sethvargo/go-retry"

	"signalbox/activities"
	"signalbox/api"
	"signalbox/notice"
	"signalbox/worker"
	"signalbox/workflows"
)

// WorkerSettings are the settings of a process that works.
type WorkerSettings struct {
	WorkerQueues []string `split_words:"true" default:"tickets,deliveries" desc:"which task queues to serve"`
	api.Callbacks
	CallbackProxy       Proxy                    `split_words:"true" desc:"proxy that notifications and requests go by, http:// or https://, with user and password if it wants them; it is asked to connect (CONNECT) to addresses that were checked, never to names; none unless set"`
	DeliveryConcurrency int                      `split_words:"true" default:"64" desc:"deliveries of one partition under way at the same time, but for those to slow receivers"`
	DeliveryPerHost     int                      `split_words:"true" default:"32" desc:"deliveries of this process under way to one host at the same time"`
	ProfileIntervals    map[string]time.Duration `split_words:"true" desc:"the wait before each further try of a delivery instead of the contracts' own, by profile: minutely:1s,standard:500ms"`
	KeepDeliveries      time.Duration            `split_words:"true" default:"720h" desc:"how long deliveries that are over are kept, with every try, and what others published"`
	KeepOperations      time.Duration            `split_words:"true" default:"168h" desc:"how long idempotency keys and the answers to them are kept; at least 24h"`
	KeepAudit           time.Duration            `split_words:"true" default:"2160h" desc:"how long the audit has who asked for what, done or refused; at least as long as operations"`
	PruneEvery          time.Duration            `split_words:"true" default:"1h" desc:"how often what was kept long enough is deleted"`
	SweepEvery          time.Duration            `split_words:"true" default:"30s" desc:"how often what a crash left open is looked for"`
	CompareEvery        time.Duration            `split_words:"true" default:"5m" desc:"how often some open tickets are compared with their workflows"`
	AttendEvery         time.Duration            `split_words:"true" default:"30s" desc:"how often tickets are told who is absent, and who is not active any more"`
	DeploymentName      string                   `split_words:"true" desc:"turns worker versioning on, together with the build ID"`
	BuildID             string                   `envconfig:"BUILD_ID" desc:"turns worker versioning on, together with the deployment name"`
}

// Proxy is the address of a proxy; nil: there is none.
type Proxy struct{ *url.URL }

// Decode implements envconfig.Decoder. An error does not repeat the text, which may hold a password.
func (p *Proxy) Decode(text string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("must be http:// or https://, a host, and nothing behind it")
	}
	p.URL = u
	return nil
}

// profiles gives the profiles that the settings leave in force.
func (s WorkerSettings) profiles() (notice.Profiles, error) {
	profiles := notice.BuiltIn()
	if err := profiles.Override(s.ProfileIntervals); err != nil {
		return nil, wrong("PROFILE_INTERVALS", err.Error())
	}
	return profiles, nil
}

// Workers puts the workers together over the container. What they deliver is counted in metrics.
func (c *Container) Workers(s WorkerSettings, partitions int, metrics prometheus.Registerer, log *slog.Logger) (worker.Workers, error) {
	deliveries, err := c.deliveries(s, partitions, log)
	if err != nil {
		return nil, err
	}
	c.MeasureFacts(metrics)
	if slices.Contains(s.WorkerQueues, workflows.QueueDeliveries) {
		meter := activities.NewMeter(metrics, deliveries.Hosts, c.backlog)
		deliveries.Meter = meter
		metrics.MustRegister(inDoubt(c.Store.InDoubt), standstills{c.Store.CountStuck}, &openTickets{count: c.Store.CountOpen, now: time.Now})
		deliveries.Hosts.Changed = func(host string, open bool) {
			if open {
				meter.Opened()
				log.Warn("breaker.opened", "host", host)
				return
			}
			log.Info("breaker.closed", "host", host)
		}
	}
	var comparer *activities.Comparer
	var attendant *activities.Attendant
	if slices.Contains(s.WorkerQueues, workflows.QueueDeliveries) {
		comparer = activities.NewComparer(c.Reconciler(), metrics)
		attendant = activities.NewAttendant(c.Desk, c.Store, time.Now, log, metrics)
	}
	return worker.New(c.Client, worker.Options{
		Pages: workflows.Pages{Ticket: c.Store.Outbox.TicketURL,
			Delivery: func(id string) string { return string(c.public) + "/deliveries/" + url.PathEscape(id) }},
		Comparer:       comparer,
		Attendant:      attendant,
		Queues:         s.WorkerQueues,
		Activities:     &activities.Activities{Desk: c.Desk},
		Deliveries:     deliveries,
		Retention:      &activities.Retention{Reader: c.Store, Deliveries: s.KeepDeliveries, Operations: s.KeepOperations, Audit: s.KeepAudit, Now: time.Now, Log: log},
		DeploymentName: s.DeploymentName, BuildID: s.BuildID,
	})
}

// deliveries is what delivers, and makes the requests of processes.
func (c *Container) deliveries(s WorkerSettings, partitions int, log *slog.Logger) (*activities.Deliveries, error) {
	profiles, err := s.profiles()
	return &activities.Deliveries{
		Outbox:      c.Store.Outbox,
		Sender:      activities.NewSender(activities.SenderOptions{Reach: s.Reach(), Proxy: s.CallbackProxy.URL, Now: time.Now, Installation: c.Installation, Mail: c.mail, Tracer: c.tracer}),
		Secrets:     c.Store,
		Lanes:       c.lanes(),
		Profiles:    profiles,
		Partitions:  partitions,
		Concurrency: s.DeliveryConcurrency,
		Hosts:       &activities.Hosts{Limit: s.DeliveryPerHost, Now: time.Now},
		Now:         time.Now,
		Log:         log,
		Tracer:      c.tracer,
	}, err
}

// lanes starts the workflows around deliveries.
func (c *Container) lanes() workflows.Lanes {
	return workflows.Lanes{Client: c.Client, Namespace: c.Engine.Namespace}
}

func (c *Container) backlog(ctx context.Context) (b activities.Backlog, err error) {
	b.Pending, b.Retrying, err = c.Store.Outbox.BacklogByAge(ctx, activities.BacklogAges)
	return b, err
}

// EnsureSchedules makes sure that the sweep runs, and with it the partitions, and that what was kept long enough is deleted. It waits for a
// Temporal that is not there yet.
func (c *Container) EnsureSchedules(ctx context.Context, s WorkerSettings, log *slog.Logger) error {
	return retry.Constant(ctx, schedulesAgain, func(ctx context.Context) error {
		err := workflows.EnsureSweep(ctx, c.Client, s.SweepEvery)
		if err == nil {
			err = workflows.EnsurePrune(ctx, c.Client, s.PruneEvery)
		}
		if err == nil {
			err = workflows.EnsureCompare(ctx, c.Client, s.CompareEvery)
		}
		if err == nil {
			err = workflows.EnsureAttend(ctx, c.Client, s.AttendEvery)
		}
		if err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "schedules.ensure", "error", err)
		}
		return retry.RetryableError(err)
	})
}

// schedulesAgain is how long a Temporal that does not take the schedules is left alone.
const schedulesAgain = 2 * time.Second
