package setup

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	_ "modernc.org/sqlite"

	"signalbox/api"
	"signalbox/api/codec"
	"signalbox/desk"
	"signalbox/desk/desktest"
	"signalbox/internal/aead"
	"signalbox/store"
	"signalbox/store/storetest"
	"signalbox/workflows"
)

// absent is a Temporal that is not there. What is only begun earlier by it is left to the sweep.
type absent struct{ client.Client }

func (absent) SignalWorkflow(context.Context, string, string, string, any) error {
	return errors.New("there is no Temporal here")
}

func (absent) SignalWithStartWorkflow(context.Context, string, string, any, client.StartWorkflowOptions, any, ...any) (client.WorkflowRun, error) {
	return nil, errors.New("there is no Temporal here")
}

func (absent) ExecuteWorkflow(context.Context, client.StartWorkflowOptions, any, ...any) (client.WorkflowRun, error) {
	return nil, errors.New("there is no Temporal here")
}

// temporalUI is where the Temporal web UI is.
const temporalUI = "https://temporal.example.com"

// product is the whole front desk as cmd/api puts it together, over an SQLite store and an engine in memory.
type product struct {
	*testing.T
	config    api.Config
	container *Container
	server    *api.Server
	engine    *desktest.Engine
	raw       *sql.DB
	change    []func(*APISettings)
	seen      *seen
}

func newProduct(t *testing.T, config api.Config, change ...func(*APISettings)) product {
	t.Helper()
	return productOn(t, config, storetest.SQLite(t), &desktest.Engine{}, change...)
}

// productOn is the front desk over a database that is there, and what the engine of its tickets knows.
func productOn(t *testing.T, config api.Config, dsn string, engine *desktest.Engine, change ...func(*APISettings)) product {
	t.Helper()
	s, err := store.Open(t.Context(), dsn, store.Options{MasterKey: []byte(storetest.MasterKey), Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return product{T: t, config: config, raw: storetest.Raw(t, dsn), change: change, seen: &seen{rows: map[string][]string{}}}.over(s, engine)
}

// over is the product with all that stands over a store made anew.
func (p product) over(s *store.Store, engine *desktest.Engine) product {
	p.Helper()
	key, log := []byte(storetest.MasterKey), slog.New(slog.DiscardHandler)
	engine.Project = s.Ledger().Project
	payloads := &workflows.Codec{Encrypt: true, Keys: func(ctx context.Context) ([]aead.Key, error) { return payloadKeys(ctx, s) }}
	installation, err := s.Installation(p.Context())
	require.NoError(p, err)
	p.engine = engine
	p.container = &Container{
		Installation: installation,
		Store:        s, Client: absent{}, Engine: &workflows.Engine{Namespace: "default", Codec: payloads}, key: key,
		Desk: desk.New(s.Ledger(), engine, desk.Options{People: s, Log: log}),
	}
	settings := APISettings{Config: p.config, Access: codec.Access{CodecApps: []string{"north", "admin"}, CodecOrigins: api.Origins{temporalUI}}}
	for _, f := range p.change {
		f(&settings)
	}
	p.server, err = p.container.API(settings, prometheus.NewRegistry(), log)
	require.NoError(p, err)
	return p
}

// copies gives a function that puts everything back to what this product holds now, in the same database, and gives the product anew: its server and its engine remember
// nothing of what was done since. A database of its own for each would take three times as long, because SQLite reads the schema for each connection.
func (p product) copies() func(t *testing.T) product {
	p.Helper()
	tables := p.tables()
	file := filepath.Join(p.TempDir(), "original.db")
	p.raw.SetMaxOpenConns(1) // what is attached and prepared is so for one connection
	for _, statement := range []string{`VACUUM INTO '` + file + `'`, `ATTACH '` + file + `' AS original`, `PRAGMA synchronous = OFF`, `UPDATE main.written SET changed = FALSE`} {
		_, err := p.raw.Exec(statement)
		require.NoError(p, err)
	}
	back := map[string][]*sql.Stmt{}
	for _, table := range tables {
		for _, text := range []string{`DELETE FROM main.` + table.name, `INSERT INTO main.` + table.name + ` SELECT * FROM original.` + table.name} {
			statement, err := p.raw.Prepare(text)
			require.NoError(p, err)
			back[table.name] = append(back[table.name], statement)
		}
	}
	engine := p.engine.Copy()
	return func(t *testing.T) product {
		t.Helper()
		tx, err := p.raw.Begin() // without foreign keys, which its connection does not ask for
		require.NoError(t, err)
		for _, table := range written(t, tx, "changed") {
			for _, statement := range back[table] {
				_, err := tx.Stmt(statement).Exec()
				require.NoError(t, err)
			}
		}
		written(t, tx, "changed") // by what was put back
		require.NoError(t, tx.Commit())
		p := p
		p.T = t
		return p.over(p.container.Store, engine.Copy())
	}
}

// seen is the database as a test has seen it.
type seen struct {
	tables []sqlTable
	rows   map[string][]string // of each table, as it was read last
}

// sqlTable is a table of the database, with its rows.
type sqlTable struct {
	name string
	all  *sql.Stmt
}

// tables are all but those of SQLite and of migrations. From then on triggers note in the table written which of them were.
func (p product) tables() []sqlTable {
	p.Helper()
	if len(p.seen.tables) > 0 {
		return p.seen.tables
	}
	var names []string
	rows, err := p.raw.Query(`SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'goose%'`)
	require.NoError(p, err)
	for rows.Next() {
		var name string
		require.NoError(p, rows.Scan(&name))
		names = append(names, name)
	}
	require.NoError(p, rows.Close())
	note := `BEGIN; CREATE TABLE written (name TEXT PRIMARY KEY, unread BOOLEAN NOT NULL, changed BOOLEAN NOT NULL);`
	for _, name := range names {
		note += fmt.Sprintf(`INSERT INTO written VALUES ('%s', TRUE, FALSE);`, name)
		for _, event := range []string{"INSERT", "UPDATE", "DELETE"} {
			note += fmt.Sprintf(`CREATE TRIGGER written_%[1]s_%[2]s AFTER %[2]s ON %[1]s BEGIN UPDATE written SET unread = TRUE, changed = TRUE WHERE name = '%[1]s' AND NOT (unread AND changed); END;`, name, event)
		}
	}
	_, err = p.raw.Exec(note + `COMMIT`)
	require.NoError(p, err)
	for _, name := range names {
		statement, err := p.raw.Prepare(`SELECT * FROM ` + name)
		require.NoError(p, err)
		p.seen.tables = append(p.seen.tables, sqlTable{name, statement})
	}
	return p.seen.tables
}

// written gives the tables that are noted in a column of the table written, and takes the notes away.
func written(t *testing.T, tx *sql.Tx, column string) (names []string) {
	t.Helper()
	rows, err := tx.Query(`UPDATE written SET ` + column + ` = FALSE WHERE ` + column + ` RETURNING name`)
	require.NoError(t, err)
	for rows.Next() {
		var name string
		require.NoError(t, rows.Scan(&name))
		names = append(names, name)
	}
	require.NoError(t, rows.Err())
	require.NoError(t, rows.Close())
	return names
}
