package setup

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"os"
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
}

func newProduct(t *testing.T, config api.Config, change ...func(*APISettings)) product {
	t.Helper()
	return productOn(t, config, storetest.SQLite(t), &desktest.Engine{}, change...)
}

// productOn is the front desk over a database that is there, and what the engine of its tickets knows.
func productOn(t *testing.T, config api.Config, dsn string, engine *desktest.Engine, change ...func(*APISettings)) product {
	t.Helper()
	key, log := []byte(storetest.MasterKey), slog.New(slog.DiscardHandler)
	s, err := store.Open(t.Context(), dsn, store.Options{MasterKey: key, Log: log})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	engine.Project = s.Ledger().Project
	payloads := &workflows.Codec{Encrypt: true, Keys: func(ctx context.Context) ([]aead.Key, error) { return payloadKeys(ctx, s) }}
	installation, err := s.Installation(t.Context())
	require.NoError(t, err)
	container := &Container{
		Installation: installation,
		Store:        s, Client: absent{}, Engine: &workflows.Engine{Namespace: "default", Codec: payloads}, key: key,
		Desk: desk.New(s.Ledger(), engine, desk.Options{People: s, Log: log}),
	}
	settings := APISettings{Config: config, Access: codec.Access{CodecApps: []string{"north", "admin"}, CodecOrigins: api.Origins{temporalUI}}}
	for _, f := range change {
		f(&settings)
	}
	server, err := container.API(settings, prometheus.NewRegistry(), log)
	require.NoError(t, err)
	return product{t, config, container, server, engine, storetest.Raw(t, dsn)}
}

// copies gives a function that makes products which hold what this one does now, and share nothing with it or each other.
func (p product) copies() func(t *testing.T) product {
	p.Helper()
	file := filepath.Join(p.TempDir(), "original.db")
	_, err := p.raw.Exec(`VACUUM INTO ?`, file)
	require.NoError(p, err)
	content, err := os.ReadFile(file)
	require.NoError(p, err)
	engine := p.engine.Copy()
	return func(t *testing.T) product {
		t.Helper()
		file := filepath.Join(t.TempDir(), "copy.db")
		require.NoError(t, os.WriteFile(file, content, 0o600))
		return productOn(t, p.config, "sqlite:"+file, engine.Copy())
	}
}
