// Package migrations is the database's schema: goose files, embedded, one text for PostgreSQL and SQLite.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"path"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// files holds the migrations, as goose reads them.
//
//go:embed *.sql
var files embed.FS

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

// Up brings the schema to Latest, each migration in its own transaction, and tells how many it applied. Several processes may call it at
// once: on PostgreSQL an advisory lock makes them wait for each other; on SQLite only one should. A newer schema is left as it is.
func Up(ctx context.Context, db *sql.DB, d Dialect) (applied int, err error) {
	p, err := provider(db, d)
	if err != nil {
		return 0, err
	}
	results, err := p.Up(ctx)
	if err != nil {
		return 0, fmt.Errorf("migrate: %w", err)
	}
	return len(results), nil
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
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	switch d {
	case PostgreSQL:
		dialect = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 600)) // asks every second, for ten minutes
		if err != nil {
			return nil, fmt.Errorf("make the migration lock: %w", err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	case SQLite:
		dialect = goose.DialectSQLite3
	default:
		return nil, fmt.Errorf("there is no dialect %q", d)
	}
	p, err := goose.NewProvider(dialect, db, files, options...)
	if err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	return p, nil
}
