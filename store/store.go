// Package store is all the SQL: operations, the read model, deliveries and apps, in PostgreSQL or, for development and tests, SQLite.
//
// Where to look:
//
//	requests        claim, operation, openings (ids without a ticket), audit
//	tickets         project, tickets, sides (conversation, relations…), people, timeline; list, search, words (of the search); services
//	what is owed    deliveries, outbox, judge, lanes, alerts, redelivery, turn; subscriptions (of tickets), lasting (of tenants), stream
//	callers         apps, credentials, guards (limits, signatures that were used), budget (callbacks of external systems)
//	secrets         seal (under the master key), keys (data keys), secrets (that sign), token, reseal
//	tampering       chain, verify, verify_ids, verify_ticket
//	the database    store, session, postgres, wake, prune, fault, moment, cursor
//
// Exported methods open a transaction unless their context carries one; lower-case helpers take it. A database that does not answer is an
// Unavailable refusal, with the cause inside for the log.
//
// Rows are locked in one order, so that transactions wait for each other instead of dead-locking: tickets by id, then stream_lanes by id, then
// subscriptions by id, then lanes and deliveries. Whoever creates deliveries of a ticket, or moves a whole lane, holds the ticket's row. For
// what is published, the row in stream_lanes is what a ticket's row is for a ticket, and its id is below zero.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jmoiron/sqlx"

	"signalbox/migrations"
	"signalbox/ticket"
)

// Options of a store.
type Options struct {
	MasterKey   []byte           // required, 32 random bytes; seals the secrets of apps and subscriptions, and the data keys
	OldKeys     [][]byte         // keys that older secrets were sealed with; they are read, never used to seal
	Partitions  int              // how many partitions new deliveries are spread over; 16. The same in every process
	PublicURL   string           // where people find us, without a slash at the end; part of what callbacks say
	Zone        *time.Location   // of the day that numbers are counted by, and of times that callbacks tell; UTC
	Connections int              // most connections to PostgreSQL at once; 20
	Now         func() time.Time // time.Now
	Log         *slog.Logger     // slog.Default
}

// Store is the database.
type Store struct {
	writes     *sqlx.DB // on SQLite one connection: it has one writer at a time anyway
	reads      *sqlx.DB // on PostgreSQL the same pool
	dialect    migrations.Dialect
	dsn        string
	seals      *seals
	derived    [][]byte // what tokens were made with before there were data keys, oldest first
	keys       *keyring
	publicURL  string
	zone       *time.Location
	partitions int
	now        func() time.Time
	log        *slog.Logger
	hub        *hub
	known      *cache
	used       atomic.Int64 // signatures
}

// Open connects to a database: "postgres://…" or "sqlite:<file>". It fails when the database does not answer, so that a wrong address stops
// the start. The schema is left as it is; see Migrate and Ping. SQLite is there only in programs that import modernc.org/sqlite.
func Open(ctx context.Context, dsn string, o Options) (*Store, error) {
	seals, err := newSeals(o.MasterKey, o.OldKeys)
	if err != nil {
		return nil, err
	}
	derived, err := tokenKeys(o.MasterKey, o.OldKeys)
	if err != nil {
		return nil, err
	}
	s := &Store{dsn: dsn, seals: seals, derived: derived, publicURL: strings.TrimSuffix(o.PublicURL, "/"), zone: o.Zone, partitions: o.Partitions,
		now: o.Now, log: o.Log, known: newCache(), keys: &keyring{keys: map[Purpose][]DataKey{}}}
	if s.zone == nil {
		s.zone = time.UTC
	}
	if s.partitions <= 0 {
		s.partitions = 16
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if err := s.connect(o.Connections); err != nil {
		return nil, err
	}
	s.hub = newHub(s)
	if err := errors.Join(s.writes.PingContext(ctx), s.reads.PingContext(ctx)); err != nil {
		return nil, told(errors.Join(fmt.Errorf("reach the database: %w", err), s.Close()))
	}
	return s, nil
}

func (s *Store) connect(connections int) error {
	scheme, rest, _ := strings.Cut(s.dsn, ":")
	switch scheme {
	case "postgres", "postgresql":
		db, err := openPostgres(s.dsn)
		if err != nil {
			return err
		}
		if connections <= 0 {
			connections = 20
		}
		db.SetMaxOpenConns(connections)
		db.SetMaxIdleConns(connections) // a pool that shrinks would lose its prepared statements
		db.SetConnMaxIdleTime(5 * time.Minute)
		s.dialect = migrations.PostgreSQL
		s.writes = sqlx.NewDb(db, "postgres")
		s.reads = s.writes
		return nil
	case "sqlite":
		return s.connectSQLite(rest)
	}
	return errors.New("the address of the database must begin with postgres:// or sqlite:")
}

// connectSQLite opens the file twice: writers wait for each other in the pool of one connection, and readers, who see the last commit,
// wait for nobody.
func (s *Store) connectSQLite(file string) error {
	if file == "" || strings.HasPrefix(file, ":") {
		return errors.New("an SQLite database is a file: sqlite:<path>")
	}
	// NORMAL: a commit outlives the process; only the machine's own crash may take the last ones back. SQLite is for development.
	common := url.Values{"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(NORMAL)", "foreign_keys(1)"}}
	name := "file:" + (&url.URL{Path: file}).EscapedPath() + "?" + common.Encode()
	writes, err := sqlx.Open("sqlite", name+"&_txlock=immediate")
	if err != nil {
		return fmt.Errorf("this program is built without SQLite: %w", err)
	}
	writes.SetMaxOpenConns(1)
	reads, err := sqlx.Open("sqlite", name+"&_pragma=query_only(1)")
	if err != nil {
		return errors.Join(err, writes.Close())
	}
	reads.SetMaxOpenConns(4)
	reads.SetMaxIdleConns(4)
	s.dialect, s.writes, s.reads = migrations.SQLite, writes, reads
	return nil
}

// Close ends all connections and what Wake listens with.
func (s *Store) Close() error {
	err := s.hub.close()
	if s.reads != s.writes {
		err = errors.Join(err, s.reads.Close())
	}
	return errors.Join(err, s.writes.Close())
}

// Migrate brings the schema to what this build needs, makes sure of the data keys, and tells how many migrations that took. Several processes may
// do so at once.
func (s *Store) Migrate(ctx context.Context) (applied int, err error) {
	db := s.writes.DB
	if s.dialect == migrations.PostgreSQL {
		// A pool of its own: a migration may work for longer, and on other tables, than what the store's connections are made for.
		if db, err = sql.Open("postgres", s.dsn); err != nil {
			return 0, fmt.Errorf("open: %w", err)
		}
		defer db.Close()
	}
	applied, err = migrations.Up(ctx, db, s.dialect)
	if err == nil {
		err = s.EnsureDataKeys(ctx)
	}
	return applied, told(err)
}

// Ping reports whether the store can work: the database answers, its schema is at least what this build needs, and the master key opens its data
// keys.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.writes.PingContext(ctx); err != nil {
		return told(fmt.Errorf("reach the database: %w", err))
	}
	version, err := migrations.Version(ctx, s.reads.DB)
	switch {
	case err != nil && passing(err):
		return told(err)
	case err != nil, version < migrations.Latest:
		return ticket.Refuse(ticket.Unavailable, fmt.Sprintf("the database has version %d of the schema, and version %d is needed: migrate it",
			version, migrations.Latest))
	}
	for _, purpose := range Purposes {
		if _, err := s.keysOf(ctx, purpose); err != nil {
			return err
		}
	}
	return nil
}
