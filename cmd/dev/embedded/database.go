package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"

	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	sqliteplugin "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	sqliteschema "go.temporal.io/server/schema/sqlite"
	_ "modernc.org/sqlite"
)

// schemaVersion is what this build of the server expects to find in a data file.
const schemaVersion = sqliteschema.Version + "/" + sqliteschema.VisibilityVersion

// starts numbers the databases opened by this process.
var starts atomic.Int64

// stores is what a server keeps everything in.
type stores struct {
	main, visibility *config.SQL
	shards           int32
}

// openStores makes sure that the server's databases exist with their schemas, and describes them.
func openStores(ctx context.Context, o Options) (stores, error) {
	if o.Postgres != "" {
		main, visibility, err := openPostgres(ctx, o.Postgres)
		return stores{main, visibility, postgresShards}, err
	}
	db, err := openDatabase(ctx, o)
	return stores{db, db, historyShards}, err
}

// openDatabase makes sure that the database exists with its schema and describes it to the server.
func openDatabase(ctx context.Context, o Options) (*config.SQL, error) {
	start := strconv.FormatInt(starts.Add(1), 10)
	if o.DataFile == "" {
		return &config.SQL{
			PluginName:        sqliteplugin.PluginName,
			DatabaseName:      "signalbox-temporal-" + start,
			ConnectAttributes: map[string]string{"mode": "memory", "cache": "shared"},
		}, nil
	}
	if err := ensureSchema(ctx, o.DataFile); err != nil {
		return nil, fmt.Errorf("data file %s: %w", o.DataFile, err)
	}
	return &config.SQL{
		PluginName:   sqliteplugin.PluginName,
		DatabaseName: escapePath(o.DataFile),
		ConnectAttributes: map[string]string{
			"mode": "rw",
			// A write-ahead log with fewer syncs keeps every commit through the death of the process; only a power cut
			// may take the newest ones, and never breaks the file.
			"journal_mode": "wal",
			"synchronous":  "normal",
			// Milliseconds: somebody may be looking at the file with another tool.
			"busy_timeout": "10000",
			// The plugin shares one connection per address and never closes it. A different address for each start (this
			// parameter means nothing to SQLite) keeps us from writing into a file that was deleted since.
			"setup": "start-" + start,
		},
		// One connection: the plugin's transactions begin as reads, and SQLite refuses at once, whatever the timeout, to
		// turn a read into a write when another connection wrote in between.
		MaxConns:     1,
		MaxIdleConns: 1,
	}, nil
}

// ensureSchema creates the file with the server's tables, all in one transaction, so that a process killed half way
// leaves nothing behind. A file made for another schema is refused: the server has no migrations for SQLite.
func ensureSchema(ctx context.Context, file string) (err error) {
	db, err := sql.Open("sqlite", "file:"+escapePath(file)+"?mode=rwc&_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(wal)")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()

	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer func() { _ = tx.Rollback() }()

	var tables int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_master WHERE type = 'table'`).Scan(&tables); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if tables > 0 {
		var found string
		if err := tx.QueryRowContext(ctx, `SELECT version FROM signalbox_schema`).Scan(&found); err != nil {
			return fmt.Errorf("not a data file of ours: %w", err)
		}
		if found != schemaVersion {
			return fmt.Errorf("its schema is %s and this build needs %s; move it away to start afresh", found, schemaVersion)
		}
		return nil
	}

	if err := sqliteschema.SetupSchemaOnDB(schemaTx{ctx: ctx, tx: tx}); err != nil {
		return fmt.Errorf("create the schema: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `CREATE TABLE signalbox_schema (version TEXT NOT NULL)`); err != nil {
		return fmt.Errorf("create the schema: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO signalbox_schema (version) VALUES (?)`, schemaVersion); err != nil {
		return fmt.Errorf("create the schema: %w", err)
	}
	return tx.Commit()
}

// schemaTx lets the server's schema run inside our transaction. The schema setup executes statements and does nothing
// else; any other method of the interface is nil and would panic.
type schemaTx struct {
	sqlplugin.AdminDB
	ctx context.Context
	tx  *sql.Tx
}

// Exec runs one statement of the schema.
func (s schemaTx) Exec(statement string, args ...any) error {
	_, err := s.tx.ExecContext(s.ctx, statement, args...)
	return err
}

// escapePath makes a path safe inside a "file:" address, where ?, # and % have meanings.
func escapePath(path string) string {
	parts := strings.Split(filepath.ToSlash(path), "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return strings.Join(parts, "/")
}
