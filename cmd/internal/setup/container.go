package setup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/sdk/client"

	"signalbox/desk"
	"signalbox/internal/aead"
	"signalbox/store"
	"signalbox/store/vault"
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

	key  Key
	zone *time.Location
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
		Zone: b.TimeZone.Location, Connections: b.Connections, Watch: watch, Now: time.Now, Log: log})
}

// Open opens the store, makes the Temporal client and puts the desk on top of both.
func (b Base) Open(ctx context.Context, log *slog.Logger) (*Container, error) {
	var s *store.Store
	codec := &workflows.Codec{Encrypt: b.EncryptPayloads, Keys: func(ctx context.Context) ([]aead.Key, error) { return payloadKeys(ctx, s) }}
	// This connects to nothing yet, so a wrong setting is found out even while the database is away.
	c, err := b.Temporal.Dial(log, codec)
	if err != nil {
		return nil, fmt.Errorf("temporal: %w", err)
	}
	if s, err = b.openStore(ctx, true, log); err != nil {
		c.Close()
		return nil, err
	}
	// Nothing is taken up before the keys are here: what is encrypted is read with the setting or without.
	if err := codec.Load(ctx); err != nil {
		c.Close()
		return nil, errors.Join(err, s.Close())
	}
	installation, err := s.Installation(ctx)
	if err != nil {
		c.Close()
		return nil, errors.Join(err, s.Close())
	}
	engine := &workflows.Engine{Client: c, Namespace: b.Temporal.Namespace, Codec: codec}
	return &Container{Store: s, Client: c, Engine: engine, Desk: desk.New(s.Ledger(), engine, desk.Options{Log: log}),
		Installation: installation, key: b.MasterKey, zone: b.TimeZone.Location}, nil
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

// Migrate brings the database's schema to what this build needs.
func (b Base) Migrate(ctx context.Context, log *slog.Logger) error {
	s, err := b.OpenStore(ctx, log)
	if err != nil {
		return err
	}
	applied, err := s.Migrate(ctx)
	if err == nil && applied > 0 {
		log.Info("database.migrated", "applied", applied)
	}
	return errors.Join(err, s.Close())
}

// Ready reports whether both database and Temporal answer.
func (c *Container) Ready(ctx context.Context) error {
	if err := errors.Join(c.Store.Ping(ctx), c.Store.Writable(ctx)); err != nil {
		return fmt.Errorf("database: %w", err)
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

// Close closes both halves.
func (c *Container) Close() error {
	c.Client.Close()
	return c.Store.Close()
}
