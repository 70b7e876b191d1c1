package setup

import (
	"context"
	"database/sql"
	"errors"
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
	read      *[]sqlTable // see tables
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
	return product{T: t, config: config, raw: storetest.Raw(t, dsn), change: change, read: new([]sqlTable)}.over(s, engine)
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
	file := filepath.Join(p.TempDir(), "original.db")
	p.raw.SetMaxOpenConns(1) // what is attached and prepared is so for one connection
	for _, statement := range []string{`VACUUM INTO '` + file + `'`, `ATTACH '` + file + `' AS original`, `PRAGMA synchronous = OFF`} {
		_, err := p.raw.Exec(statement)
		require.NoError(p, err)
	}
	var back []*sql.Stmt
	for _, table := range p.tables() {
		for _, text := range []string{`DELETE FROM main.` + table.name, `INSERT INTO main.` + table.name + ` SELECT * FROM original.` + table.name} {
			statement, err := p.raw.Prepare(text)
			require.NoError(p, err)
			back = append(back, statement)
		}
	}
	engine := p.engine.Copy()
	return func(t *testing.T) product {
		t.Helper()
		tx, err := p.raw.Begin() // without foreign keys, which its connection does not ask for
		require.NoError(t, err)
		for _, statement := range back {
			_, err := tx.Stmt(statement).Exec()
			require.NoError(t, err)
		}
		require.NoError(t, tx.Commit())
		p := p
		p.T = t
		return p.over(p.container.Store, engine.Copy())
	}
}

// sqlTable is a table of the database, with its rows.
type sqlTable struct {
	name string
	all  *sql.Stmt
}

// tables are all but those of SQLite and of migrations.
func (p product) tables() (all []sqlTable) {
	p.Helper()
	if len(*p.read) > 0 {
		return *p.read
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
	for _, name := range names {
		statement, err := p.raw.Prepare(`SELECT * FROM ` + name)
		require.NoError(p, err)
		*p.read = append(*p.read, sqlTable{name, statement})
	}
	return *p.read
}
