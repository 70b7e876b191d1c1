package db

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"signalbox/internal/watch"
	"signalbox/migrations"
	"signalbox/ticket"
)

// Options of a database.
type Options struct {
	Connections int              // most connections to PostgreSQL at once; 20. Two more may be used: to watch it, and to listen
	Idle        time.Duration    // how long a connection to PostgreSQL is kept that nobody uses; 30 s
	Watch       bool             // ask PostgreSQL every second whether it answers, and refuse at once while it does not
	Now         func() time.Time // time.Now
	Log         *slog.Logger     // slog.Default
}

// DB is the database, and the clock and the log of all that works with it.
type DB struct {
	Log *slog.Logger

	writes   *sqlx.DB // on SQLite one connection: it has one writer at a time anyway
	reads    *sqlx.DB // on PostgreSQL the same pool
	dialect  migrations.Dialect
	dsn      string
	now      func() time.Time
	notifier *notifier
	common   *standing    // of all connections
	watch    *watch.Watch // nil: it is not watched
	watching io.Closer    // what it is watched with
}

// Open connects to a database: "postgres://…" or "sqlite:<file>". It fails when the database does not answer. The schema is left as it is; see
// Migrate and Ping. SQLite is there only in programs that import modernc.org/sqlite.
func Open(ctx context.Context, dsn string, o Options) (*DB, error) {
	d := &DB{dsn: dsn, now: o.Now, Log: o.Log}
	if d.now == nil {
		d.now = time.Now
	}
	if d.Log == nil {
		d.Log = slog.Default()
	}
	d.common = &standing{}
	if err := d.connect(o); err != nil {
		return nil, err
	}
	d.notifier = newNotifier(d)
	if err := errors.Join(d.writes.PingContext(ctx), d.reads.PingContext(ctx)); err != nil {
		return nil, TranslateError(errors.Join(fmt.Errorf("reach the database: %w", err), d.Close()))
	}
	if o.Watch && d.dialect == migrations.PostgreSQL {
		if err := d.startWatch(); err != nil {
			return nil, errors.Join(err, d.Close())
		}
	}
	return d, nil
}

func (d *DB) connect(o Options) error {
	connections := o.Connections
	scheme, rest, _ := strings.Cut(d.dsn, ":")
	switch scheme {
	case "postgres", "postgresql":
		if connections <= 0 {
			connections = 20
		}
		pool, err := openPostgres(d.dsn, connections, d.common)
		if err == nil && o.Idle > 0 {
			pool.SetConnMaxIdleTime(o.Idle)
		}
		if err != nil {
			return err
		}
		d.dialect = migrations.PostgreSQL
		d.writes = sqlx.NewDb(pool, "postgres")
		d.reads = d.writes
		return nil
	case "sqlite":
		return d.connectSQLite(rest)
	}
	return errors.New("the address of the database must begin with postgres:// or sqlite:")
}

// connectSQLite opens the file twice: writers wait for each other in the pool of one connection, and readers, who see the last commit,
// wait for nobody.
func (d *DB) connectSQLite(file string) error {
	if file == "" || strings.HasPrefix(file, ":") {
		return errors.New("an SQLite database is a file: sqlite:<path>")
	}
	// NORMAL: a commit outlives the process; only the machine's own crash may take the last ones back. SQLite is for development.
	common := url.Values{"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(NORMAL)", "foreign_keys(1)"}}
	writes, err := openSQLite(file, common, "&_txlock=immediate")
	if err != nil {
		return err
	}
	writes.SetMaxOpenConns(1)
	reads, err := openSQLite(file, common, "&_pragma=query_only(1)")
	if err != nil {
		return errors.Join(err, writes.Close())
	}
	reads.SetMaxOpenConns(4)
	reads.SetMaxIdleConns(4)
	d.dialect, d.writes, d.reads = migrations.SQLite, writes, reads
	return nil
}

// Now is what the clock says.
func (d *DB) Now() time.Time { return d.now() }

// Close ends all connections, and what Subscribe listens with.
func (d *DB) Close() error {
	d.notifier.close()
	var err error
	if d.watching != nil {
		d.watch.Stop()
		err = d.watching.Close()
	}
	err = errors.Join(err, d.writes.Close())
	if d.reads != d.writes {
		err = errors.Join(err, d.reads.Close())
	}
	return err
}

// migrating is how many connections a migration may use.
const migrating = 4

// Migrate brings the schema to what this build needs, and tells how many migrations that took. A database that came from another PostgreSQL
// cluster goes on in this one. Several processes may do so at once.
func (d *DB) Migrate(ctx context.Context) (applied int, err error) {
	pool := d.writes.DB
	if d.dialect == migrations.PostgreSQL {
		// A pool of its own: a migration may work for longer, and on other tables, than what the store's connections are made for.
		if pool, err = openPostgres(d.dsn, migrating, d.common); err != nil {
			return 0, err
		}
		defer pool.Close()
	}
	waiting := func(version int64) {
		d.Log.WarnContext(ctx, "migration.waits", "version", version, "cause", "somebody has been at work on a table that it changes for longer than others can wait; it is tried again")
	}
	if applied, err = migrations.Up(ctx, pool, d.dialect, waiting); err == nil {
		err = d.adoptCluster(ctx)
	}
	return applied, TranslateError(err)
}

// Ping reports whether the database answers with a schema that is at least what this build needs, in the cluster that it was migrated in.
// Unavailable: it does not.
func (d *DB) Ping(ctx context.Context) error {
	if away := d.watch.Away(); away != nil && !errors.Is(away, errReadOnly) {
		return TranslateError(away)
	}
	if err := d.writes.PingContext(ctx); err != nil {
		return TranslateError(fmt.Errorf("reach the database: %w", err))
	}
	version, err := migrations.Version(ctx, d.reads.DB)
	switch {
	case err != nil && isTransient(err):
		return TranslateError(err)
	case err != nil, version < migrations.Latest:
		return ticket.Refuse(ticket.Unavailable, fmt.Sprintf("the database has version %d of the schema, and version %d is needed: migrate it",
			version, migrations.Latest))
	}
	return TranslateError(d.checkCluster(ctx))
}
