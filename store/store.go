package store

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"signalbox/store/callers"
	"signalbox/store/chain"
	"signalbox/store/db"
	"signalbox/store/operations"
	"signalbox/store/outbox"
	"signalbox/store/people"
	"signalbox/store/services"
	"signalbox/store/tallies"
	"signalbox/store/tickets"
	"signalbox/store/vault"
	"signalbox/store/verify"
	"signalbox/store/views"
)

// Options of a store.
type Options struct {
	MasterKey   []byte           // required, 32 random bytes; encrypts the secrets of apps and subscriptions, and the data keys
	OldKeys     [][]byte         // keys that older secrets were encrypted with; they decrypt, and never encrypt
	Partitions  int              // how many partitions new deliveries are spread over; 16. The same in every process
	PublicURL   string           // where people find us; part of what callbacks say
	Mail        bool             // people are told by mail; the same in every process
	Zone        *time.Location   // of the day that numbers are counted by, and of times that callbacks tell; UTC
	Connections int              // most connections to PostgreSQL at once; 20. Two more may be used: to watch it, and to listen
	Idle        time.Duration    // how long a connection to PostgreSQL is kept that nobody uses; 30 s
	Watch       bool             // ask PostgreSQL every second whether it answers, and refuse at once while it does not
	Now         func() time.Time // time.Now
	Log         *slog.Logger     // slog.Default
}

// Store is the database with all that is kept in it: it can do what its parts can.
type Store struct {
	*vault.Vault
	*callers.Directory
	*services.Catalogue
	*tickets.Projections
	*outbox.Outbox
	*people.Book
	*views.Shelf
	*verify.Verifier
	*operations.Log

	db     *db.DB
	chain  *chain.Chain
	counts *tallies.Tallies
}

// Open connects to a database: "postgres://…" or "sqlite:<file>". It fails when the database does not answer, so that a wrong address stops
// the start. The schema is left as it is; see Migrate and Ping. SQLite is there only in programs that import modernc.org/sqlite.
func Open(ctx context.Context, dsn string, o Options) (*Store, error) {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	v, err := vault.New(o.MasterKey, o.OldKeys)
	if err != nil {
		return nil, err
	}
	d, err := db.Open(ctx, dsn, db.Options{Connections: o.Connections, Idle: o.Idle, Watch: o.Watch, Now: o.Now, Log: o.Log})
	if err != nil {
		return nil, err
	}
	v.Use(d)
	c := chain.New(d, v)
	counts := tallies.New(d, o.Zone)
	out := outbox.New(d, v, c, counts, outbox.Options{Partitions: o.Partitions, PublicURL: o.PublicURL, Zone: o.Zone, Mail: o.Mail})
	rows := tickets.New(d, v, c, out, counts)
	return &Store{
		Vault: v, Directory: callers.New(d, v), Catalogue: services.New(d, v), Projections: rows, Outbox: out,
		Book: people.New(d, v), Shelf: views.New(d), Verifier: verify.New(d, v, c, rows), Log: operations.New(d, v, c, o.Zone), counts: counts, db: d, chain: c,
	}, nil
}

// Close ends all connections and what Notifications listens with.
func (s *Store) Close() error {
	s.End()
	s.counts.End()
	return s.db.Close()
}

// Left tells that all was done but for so many rows that cannot be read, which the log names.
type Left = db.Left

// Held tells that somebody else is at what one alone may do, who that is, and since when.
type Held = db.Held

// Migrate brings the schema to what this build needs, makes sure of the data keys, fills in what rows of earlier versions lack, and tells how many
// migrations that took. Several processes may do so at once, but for counting what earlier versions did not, where there is any: *Held, with all else done. Left: rows that cannot be read lack it still,
// and nothing else does.
func (s *Store) Migrate(ctx context.Context) (applied int, err error) {
	if applied, err = s.db.Migrate(ctx); err != nil {
		return applied, err
	}
	var left Left
	for _, fill := range []func(context.Context) error{s.EnsureDataKeys, s.chain.EnsureCounter, s.RespellAddresses, s.PlaceChanges, s.Post, s.LookForStuck, s.MarkEnded, s.countEarlier} {
		var some Left
		if err := fill(ctx); errors.As(err, &some) {
			left += some
		} else if err != nil {
			return applied, err
		}
	}
	return applied, left.With(nil)
}

// countEarlier counts the tickets and deliveries of versions that counted none, if there are any, alone: who rebuilds counts too.
func (s *Store) countEarlier(ctx context.Context) error {
	tickets, err := s.Untallied(ctx)
	if err != nil {
		return err
	}
	deliveries, err := s.UntalliedDeliveries(ctx)
	if err != nil {
		return err
	}
	if !tickets && !deliveries {
		return s.counts.Fold(ctx)
	}
	return s.db.Alone(ctx, "migrate", func(ctx context.Context) error {
		var left Left
		if err := s.Tally(ctx); err != nil && !errors.As(err, &left) {
			return err
		}
		return left.With(s.TallyDeliveries(ctx))
	})
}

// Installation is what this installation calls itself to others: an identifier that is made once and stays, the same in all processes on this database.
func (s *Store) Installation(ctx context.Context) (string, error) { return s.db.Installation(ctx) }

// Ping reports whether the store can work: the database answers, its schema is at least what this build needs, and the master key opens its data
// keys.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.db.Ping(ctx); err != nil {
		return err
	}
	return s.CheckDataKeys(ctx)
}

// Writable reports whether the database takes changes: it may answer as a standby, which can be read alone. Unavailable: it does not.
func (s *Store) Writable(ctx context.Context) error { return s.db.Writable(ctx) }
