package setup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"signalbox/activities"
	"signalbox/desk"
	"signalbox/internal/aead"
	"signalbox/internal/tracing"
	"signalbox/internal/watch"
	"signalbox/store"
	"signalbox/store/vault"
	"signalbox/ticket"
	"signalbox/workflows"
)

// Container holds what a process is put together from: the store, the client of Temporal, and the desk on top of both. It is made by Base.Open and
// closed by Close.
type Container struct {
	Store  *store.Store
	Client client.Client
	Engine *workflows.Engine
	Desk   *desk.Desk
	// Installation is what this installation calls itself to others.
	Installation string

	key      Key
	zone     *time.Location
	public   PublicURL
	temporal *watch.Watch
	meter    *meter
	sdk      *sdkMetrics
	mail     activities.MailServer
	tracer   *tracing.Tracer
}

// OpenStore opens the database alone.
func (b Base) OpenStore(ctx context.Context, log *slog.Logger) (*store.Store, error) {
	return b.openStore(ctx, false, log)
}

// openStore opens the database, watched where calls are to be refused while it does not answer.
func (b Base) openStore(ctx context.Context, watch bool, log *slog.Logger) (*store.Store, error) {
	old := make([][]byte, len(b.OldMasterKeys))
	for i, key := range b.OldMasterKeys {
		old[i] = key
	}
	return store.Open(ctx, b.DatabaseURL, store.Options{MasterKey: b.MasterKey, OldKeys: old, Partitions: b.Partitions, PublicURL: string(b.PublicURL),
		Zone: b.TimeZone.Location, Mail: b.SMTPHost != "", Connections: b.Connections, Watch: watch, Now: time.Now, Log: log})
}

// Open opens the store, makes the Temporal client and puts the desk on top of both. A database that is away, or not migrated yet, is waited for where the
// process is patient; a wrong setting is not.
func (b Base) Open(ctx context.Context, log *slog.Logger) (*Container, error) {
	c := &Container{key: b.MasterKey, zone: b.TimeZone.Location, public: b.PublicURL, mail: b.Mail.server(), meter: newMeter(), sdk: newSDKMetrics(), tracer: b.Tracer}
	codec := &workflows.Codec{Encrypt: b.EncryptPayloads, Keys: func(ctx context.Context) ([]aead.Key, error) { return payloadKeys(ctx, c.Store) }}
	// This connects to nothing yet, so a wrong setting is found out even while the database is away.
	var err error
	b.Temporal.Metrics, b.Temporal.Tracer = c.sdk.Handler(), b.Tracer
	if c.Client, err = b.Temporal.Dial(log, codec); err != nil {
		return nil, fmt.Errorf("temporal: %w", err)
	}
	away := func(err error) bool { return b.Patient && ticket.Is(err, ticket.Unavailable) }
	if c.Store, err = await(ctx, log, "database", away, func(ctx context.Context) (*store.Store, error) { return b.usable(ctx, log) }); err != nil {
		c.Client.Close()
		return nil, err
	}
	// Nothing is taken up before the keys are here: what is encrypted is read with the setting or without.
	if err = codec.Load(ctx); err == nil {
		c.Installation, err = c.Store.Installation(ctx)
	}
	if err != nil {
		c.Client.Close()
		return nil, errors.Join(err, c.Store.Close())
	}
	c.Engine = &workflows.Engine{Client: c.Client, Namespace: b.Temporal.Namespace, Codec: codec}
	c.temporal = watch.Start(watch.Options{Name: "temporal", Probe: c.askTemporal, Log: log})
	c.Desk = desk.New(c.Store.Ledger(), watched{c.Engine, c.temporal}, desk.Options{People: c.Store, Log: log, Away: c.temporal.Allow,
		Observe: c.meter.observer()})
	return c, nil
}

// usable opens the store once it can be worked with.
func (b Base) usable(ctx context.Context, log *slog.Logger) (*store.Store, error) {
	s, err := b.openStore(ctx, true, log)
	if err != nil || !b.Patient {
		return s, err
	}
	if err := s.Ping(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// askTemporal asks for the namespace, which the server has to look up where it keeps everything: that its frontend is up says little.
func (c *Container) askTemporal(ctx context.Context) error {
	_, err := c.Client.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: c.Engine.Namespace})
	if unanswered(err) {
		return err
	}
	return nil // what is wrong with the namespace is told by whoever needs it
}

// AwaitTemporal waits until Temporal answers. What it says then is for who asks it for work.
func (c *Container) AwaitTemporal(ctx context.Context, log *slog.Logger) error {
	_, err := await(ctx, log, "temporal", unanswered, func(ctx context.Context) (struct{}, error) {
		asked, cancel := context.WithTimeout(ctx, watch.Within)
		defer cancel()
		return struct{}{}, c.askTemporal(asked)
	})
	return err
}

// payloadKeys reads the keys for what Temporal stores.
func payloadKeys(ctx context.Context, s *store.Store) ([]aead.Key, error) {
	keys, err := s.DataKeys(ctx, vault.KeyPayload)
	out := make([]aead.Key, len(keys))
	for i, key := range keys {
		out[i] = aead.Key(key)
	}
	return out, err
}

// Migrate brings the database's schema to what this build needs. store.Left: some rows could not be read; all else was done.
func (b Base) Migrate(ctx context.Context, log *slog.Logger) error {
	s, err := b.OpenStore(ctx, log)
	if err != nil {
		return err
	}
	applied, err := s.Migrate(ctx)
	if err == nil && applied > 0 {
		log.InfoContext(ctx, "database.migrated", "applied", applied)
	}
	return errors.Join(err, s.Close())
}

// Ready reports whether everything can be done: both stores answer, and the database takes changes.
func (c *Container) Ready(ctx context.Context) error {
	if err := errors.Join(c.Store.Ping(ctx), c.Store.Writable(ctx)); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	if away := c.temporal.Away(); away != nil {
		return away
	}
	if _, err := c.Client.CheckHealth(ctx, &client.CheckHealthRequest{}); err != nil {
		return fmt.Errorf("temporal: %w", err)
	}
	return nil
}

// Reconciler compares both halves.
func (c *Container) Reconciler() *desk.Reconciler {
	return &desk.Reconciler{Desk: c.Desk, Books: c.Store.Ledger(), Workflows: c.Engine}
}

// Rebuilder makes the read model anew.
func (c *Container) Rebuilder() *desk.Rebuilder {
	return &desk.Rebuilder{Reconciler: c.Reconciler(), Model: c.Store.ReadModel()}
}

// ReadyToRead reports whether the database answers: nothing else is needed to read.
func (c *Container) ReadyToRead(ctx context.Context) error {
	if err := c.Store.Ping(ctx); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	return nil
}

// Close closes both halves.
func (c *Container) Close() error {
	c.temporal.Stop()
	c.Client.Close()
	return c.Store.Close()
}
