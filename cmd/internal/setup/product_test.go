package setup

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	_ "modernc.org/sqlite"

	"signalbox/api"
	"signalbox/api/codec"
	"signalbox/desk"
	"signalbox/internal/aead"
	"signalbox/store"
	"signalbox/store/storetest"
	"signalbox/ticket"
	"signalbox/workflows"
)

// memory is the engine without Temporal: what a generation decides, the rule book decides.
type memory struct {
	mu          sync.Mutex
	generations map[string]*remembered
}

type remembered struct {
	ticket  ticket.Ticket
	began   []ticket.Event
	events  []ticket.Event
	results map[string][]ticket.Event
}

func generationOf(id ticket.Identity, n int) string { return fmt.Sprintf("%s/%d", id.Number, n) }

func (m *memory) Begin(_ context.Context, before ticket.Ticket, events []ticket.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := ticket.Fold(before, events)
	if l := m.generations[generationOf(t.Identity, t.Generation)]; l != nil && l.began[0].Operation != events[0].Operation {
		return desk.ErrGone
	}
	m.generations[generationOf(t.Identity, t.Generation)] = &remembered{ticket: t, began: events, events: events, results: map[string][]ticket.Event{}}
	return nil
}

func (m *memory) Begun(_ context.Context, id ticket.Identity, generation int) ([]ticket.Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if l := m.generations[generationOf(id, generation)]; l != nil {
		return l.began, nil
	}
	return nil, desk.ErrGone
}

func (m *memory) Update(_ context.Context, id ticket.Identity, generation int, c ticket.Command) ([]ticket.Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.generations[generationOf(id, generation)]
	if l == nil || l.ticket.Ended() {
		return nil, desk.ErrGone
	}
	if events, done := l.results[c.Operation]; done {
		return events, nil
	}
	events, err := ticket.Decide(l.ticket, c, time.Now())
	if err != nil {
		return nil, err
	}
	l.ticket = ticket.Fold(l.ticket, events)
	l.events = append(l.events, events...)
	l.results[c.Operation] = events
	return events, nil
}

func (m *memory) Outcome(_ context.Context, id ticket.Identity, generation int, operation string) (desk.Outcome, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if l := m.generations[generationOf(id, generation)]; l != nil {
		if events, done := l.results[operation]; done {
			return desk.Outcome{Known: true, Done: true, Events: events}, nil
		}
	}
	return desk.Outcome{Known: true}, nil
}

func (m *memory) Peek(_ context.Context, id ticket.Identity, generation int, after int64) (events []ticket.Event, more bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.generations[generationOf(id, generation)]
	if l == nil {
		return nil, false, desk.ErrGone
	}
	for _, e := range l.events {
		if e.Seq > after {
			events = append(events, e)
		}
	}
	return events, false, nil
}

// absent is a Temporal that is not there. What is only begun earlier by it is left to the sweep.
type absent struct{ client.Client }

func (absent) ExecuteWorkflow(context.Context, client.StartWorkflowOptions, any, ...any) (client.WorkflowRun, error) {
	return nil, errors.New("there is no Temporal here")
}

// temporalUI is where the Temporal web UI is.
const temporalUI = "https://temporal.example.com"

// product is the whole front desk as cmd/api puts it together, over an SQLite store and an engine in memory.
type product struct {
	*testing.T
	container *Container
	server    *api.Server
	raw       *sql.DB
}

func newProduct(t *testing.T, config api.Config) product {
	t.Helper()
	dsn, key := storetest.SQLite(t), []byte(storetest.MasterKey)
	log := slog.New(slog.DiscardHandler)
	s, err := store.Open(t.Context(), dsn, store.Options{MasterKey: key, Log: log})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	payloads := &workflows.Codec{Encrypt: true, Keys: func(ctx context.Context) ([]aead.Key, error) { return payloadKeys(ctx, s) }}
	container := &Container{
		Store: s, Client: absent{}, Engine: &workflows.Engine{Namespace: "default", Codec: payloads}, key: key,
		Desk: desk.New(s.Ledger(), &memory{generations: map[string]*remembered{}}, desk.Options{Log: log}),
	}
	server, err := container.API(APISettings{Config: config, Access: codec.Access{CodecApps: []string{"north", "admin"}, CodecOrigins: api.Origins{temporalUI}}}, prometheus.NewRegistry(), log)
	require.NoError(t, err)
	return product{t, container, server, storetest.Raw(t, dsn)}
}
