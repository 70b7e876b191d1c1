// Package migrations is the database's schema: goose files, embedded, one text for PostgreSQL and SQLite.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// files holds the migrations, as goose reads them.
//
//go:embed *.sql
var files embed.FS

// edited is files with another text.
type edited struct {
	fs.FS
	edit func(text string) string
}

func (e edited) Open(name string) (fs.File, error) {
	f, err := e.FS.Open(name)
	if err != nil || path.Ext(name) != ".sql" {
		return f, err
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	return editedFile{f, strings.NewReader(e.edit(string(text)))}, nil
}

type editedFile struct {
	fs.File
	text *strings.Reader
}

func (f editedFile) Read(p []byte) (int, error) { return f.text.Read(p) }

// plain is a migration for SQLite, which has nobody to keep waiting and does not know the word.
func plain(text string) string { return strings.ReplaceAll(text, " CONCURRENTLY ", " ") }

const (
	// lockTimeout is how long a migration waits for a table: behind it wait all who want to read or write there.
	lockTimeout = "1s"
	// lockPatience is for how long it is tried again, with pauses of at most maxPause in which others get on with their work.
	lockPatience = 10 * time.Minute
	maxPause     = 30 * time.Second
)

// polite is a migration for PostgreSQL: it gives up rather than wait for long. One without a transaction builds an index, holds up nobody while it waits, and has to wait for whoever is at work.
func polite(text string) string {
	if strings.Contains(text, "-- +goose NO TRANSACTION") {
		return text
	}
	for _, way := range []string{"-- +goose Up\n", "-- +goose Down\n"} {
		text = strings.Replace(text, way, way+"SET LOCAL lock_timeout = '"+lockTimeout+"';\n", 1)
	}
	return text
}

// Dialect is the database that migrations run on.
type Dialect string

const (
	PostgreSQL Dialect = "postgres"
	SQLite     Dialect = "sqlite"
)

// Latest is the version of the schema that this build needs.
var Latest = latest()

func latest() int64 {
	names, err := fs.Glob(files, "*.sql")
	if err != nil || len(names) == 0 {
		panic("migrations: none embedded")
	}
	version, err := goose.NumericComponent(path.Base(names[len(names)-1])) // Glob sorts
	if err != nil {
		panic("migrations: " + err.Error())
	}
	return version
}

// Up brings the schema to Latest, each migration in its own transaction (but for those that build an index on a large table, docs/decisions/0053), and tells how many it applied. Several processes may call it at
// once: on PostgreSQL an advisory lock makes them wait for each other; on SQLite only one should. A newer schema is left as it is. A migration that cannot have a table within a second, because somebody is
// at work there for longer, gives up and is tried again after a pause, for ten minutes; waiting, if given, is told which each time.
func Up(ctx context.Context, db *sql.DB, d Dialect, waiting ...func(version int64)) (applied int, err error) {
	p, err := provider(db, d)
	if err != nil {
		return 0, err
	}
	pause, began := time.Second, time.Now()
	for {
		results, err := p.Up(ctx)
		var part *goose.PartialError
		if err == nil {
			return applied + len(results), nil
		} else if errors.As(err, &part) {
			applied += len(part.Applied)
		}
		if part == nil || !lockedOut(err) {
			return applied, fmt.Errorf("migrate: %w", err)
		}
		if time.Since(began) > lockPatience {
			return applied, fmt.Errorf("migrate: somebody is at work all the time on a table that is to be changed (pg_stat_activity says who): %w", err)
		}
		for _, tell := range waiting {
			tell(part.Failed.Source.Version)
		}
		select {
		case <-ctx.Done():
			return applied, fmt.Errorf("migrate: %w: %w", ctx.Err(), err)
		case <-time.After(pause):
		}
		pause = min(2*pause, maxPause)
	}
}

// lockedOut reports whether a lock was not to be had in time.
func lockedOut(err error) bool {
	var fault interface{ SQLState() string }
	return errors.As(err, &fault) && fault.SQLState() == "55P03"
}

// Down takes every migration back, and with them all data. It is for tests and for those who know what they do.
func Down(ctx context.Context, db *sql.DB, d Dialect) error {
	p, err := provider(db, d)
	if err != nil {
		return err
	}
	if _, err := p.DownTo(ctx, 0); err != nil {
		return fmt.Errorf("migrate down: %w", err)
	}
	return nil
}

// Version gives the version of the schema. It writes nothing and fails where there has never been a migration.
func Version(ctx context.Context, db *sql.DB) (int64, error) {
	var version int64
	err := db.QueryRowContext(ctx, "SELECT max(version_id) FROM "+goose.DefaultTablename).Scan(&version)
	if err != nil {
		return 0, fmt.Errorf("read the schema's version: %w", err)
	}
	return version, nil
}

func provider(db *sql.DB, d Dialect) (*goose.Provider, error) {
	var dialect goose.Dialect
	var texts fs.FS
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	switch d {
	case PostgreSQL:
		dialect, texts = goose.DialectPostgres, edited{files, polite}
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 600)) // asks every second, for ten minutes
		if err != nil {
			return nil, fmt.Errorf("make the migration lock: %w", err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	case SQLite:
		dialect, texts = goose.DialectSQLite3, edited{files, plain}
	default:
		return nil, fmt.Errorf("there is no dialect %q", d)
	}
	p, err := goose.NewProvider(dialect, db, texts, options...)
	if err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	return p, nil
}
