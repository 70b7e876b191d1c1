package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
	"signalbox/store/postgrestest"
)

// stores is a production whose two stores are PostgreSQL servers of its own, so that each can be put back to what it was.
type stores struct {
	*production
	t                *testing.T
	database, engine *postgrestest.Cluster // where the product keeps what it has, and where Temporal does
	workers          []*harness.Process
	measured         string // base of the worker that serves deliveries
	c                *caller
}

func startStores(t *testing.T, name string, more ...string) *stores {
	t.Helper()
	return startStoresWith(t, name, nil, more...)
}

// startStoresWith is startStores with settings of both PostgreSQL servers.
func startStoresWith(t *testing.T, name string, settings []string, more ...string) *stores {
	t.Helper()
	s := &stores{t: t, database: newCluster(t, settings...), engine: newCluster(t, settings...)}
	dsn, err := s.database.CreateDatabase(t.Context())
	require.NoError(t, err)
	s.production = startProductionOn(t, newTemporalOn(t, s.engine.URL()), name, dsn, append(more, "SIGNALBOX_REQUEST_TIMEOUT=5s")...)
	s.startWorkers()
	s.c = s.caller()
	return s
}

// newCluster starts a PostgreSQL server of the test's own.
func newCluster(t *testing.T, settings ...string) *postgrestest.Cluster {
	t.Helper()
	cluster, err := postgrestest.NewCluster(settings...)
	postgrestest.Require(t, err)
	t.Cleanup(func() { require.NoError(t, cluster.Close()) })
	return cluster
}

func (s *stores) startWorkers() {
	s.t.Helper()
	s.workers = []*harness.Process{s.startWorker(s.t, "tickets")}
	s.startDeliveries()
}

func (s *stores) startDeliveries() {
	s.t.Helper()
	var w *harness.Process
	w, s.measured = s.startWorkerAt(s.t, "deliveries")
	s.workers = append(s.workers, w)
}

func (s *stores) stopWorkers() {
	s.t.Helper()
	for _, w := range s.workers {
		w.Terminate(time.Minute)
	}
}

// backupTemporal keeps what Temporal has now; restore puts that back, with everything stopped but the API, which tells callers so.
func (s *stores) backupTemporal() (restore func()) {
	s.t.Helper()
	s.temporal.Kill()
	back, err := s.engine.Backup()
	require.NoError(s.t, err)
	s.temporal.start(s.t)
	harness.UntilOK(s.t, s.api+"/readyz", 3*time.Minute)
	return func() {
		s.t.Helper()
		s.stopWorkers()
		s.temporal.Kill()
		require.NoError(s.t, back())
		s.temporal.start(s.t)
		s.startWorkers()
		harness.UntilOK(s.t, s.api+"/readyz", 3*time.Minute)
	}
}

// backupDatabase likewise.
func (s *stores) backupDatabase() (restore func()) {
	s.t.Helper()
	back, err := s.database.Backup()
	require.NoError(s.t, err)
	harness.UntilOK(s.t, s.api+"/readyz", 3*time.Minute)
	return func() {
		s.t.Helper()
		s.stopWorkers()
		require.NoError(s.t, back())
		s.startWorkers()
		harness.UntilOK(s.t, s.api+"/readyz", 3*time.Minute)
	}
}

// inDoubt waits until the metric says that so many tickets are in doubt.
func (s *stores) inDoubt(n int) {
	s.t.Helper()
	want := fmt.Sprintf("\nsignalbox_tickets_in_doubt %d\n", n)
	harness.Until(s.t, strings.TrimSpace(want), time.Minute, func() error {
		response, err := http.Get(s.measured + "/metrics")
		if err != nil {
			return err
		}
		defer response.Body.Close()
		metrics, err := io.ReadAll(response.Body)
		if err == nil && !strings.Contains(string(metrics), want) {
			err = errors.New(regexp.MustCompile(`(?m)^signalbox_tickets_in_doubt.*$`).FindString(string(metrics)))
		}
		return err
	})
}

// ask has something done, however often it must be asked for: a store that has just come back is slow where the machine is busy.
func (s *stores) ask(method, path string, body any) answer {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Minute)
	defer cancel()
	a, _, err := s.c.persist(ctx, method, path, uuid.NewString(), body)
	require.NoError(s.t, err)
	require.Equal(s.t, 200, a.status, a)
	return a
}

// open opens a ticket and gives its number.
func (s *stores) open() string {
	s.t.Helper()
	return result[string](s.t, s.ask("POST", "/api/issue", map[string]any{"origin": "e2e", "title": s.t.Name()}))
}

// accept accepts a ticket.
func (s *stores) accept(number string) {
	s.t.Helper()
	s.ask("POST", handlePath, incidentCall(s.t, "accept.json", number))
}

// tell adds a message to a ticket's conversation.
func (s *stores) tell(number, content string) {
	s.t.Helper()
	s.ask("POST", "/api/issue/"+number+"/conversation", map[string]any{"author": "li", "content": content})
}

// say asks once that a message is added to a ticket's conversation, and gives the answer.
func (s *stores) say(number, content string) answer {
	s.t.Helper()
	a, err := s.c.send(s.t.Context(), "POST", "/api/issue/"+number+"/conversation", uuid.NewString(), map[string]any{"author": "li", "content": content})
	require.NoError(s.t, err)
	return a
}

// migrate runs a command of migrate, and gives what it printed and its exit code.
func (s *stores) migrate(args ...string) (string, int) {
	s.t.Helper()
	m := harness.Start(s.t, harness.Command{Path: binary(s.t, "migrate"), Args: args, Env: s.env})
	code := m.Wait(5 * time.Minute)
	return m.Logs(), code
}

// said counts how often a ticket's timeline has each message.
func (s *stores) said(number string) map[string]int {
	s.t.Helper()
	out := map[string]int{}
	for _, e := range s.c.timeline(s.t, number) {
		if e.After.Message != nil {
			out[e.After.Message.Content]++
		}
	}
	return out
}

// closes takes a ticket through the rest of its life.
func (s *stores) closes(number string) {
	s.t.Helper()
	for _, step := range []struct {
		phase string
		body  []byte
	}{
		{"triggered", incidentCall(s.t, "accept.json", number)},
		{"acknowledged", incidentCall(s.t, "commit.json", number)},
		{"resolved", incidentCall(s.t, "confirm.json", number, "false", "true")},
	} {
		if s.c.issue(s.t, number).Phase == step.phase {
			s.ask("POST", handlePath, step.body)
		}
	}
	require.Equal(s.t, "CLOSED", s.c.issue(s.t, number).Status)
}

// sound has verify look at everything, and reconcile too: neither finds anything.
func (s *stores) sound() {
	s.t.Helper()
	out, code := s.migrate("verify")
	require.Zero(s.t, code, out)
	out, code = s.migrate("reconcile", "-dry-run")
	require.Zero(s.t, code, out)
	require.Contains(s.t, out, "0 brought up, 0 taken in, 0 begun again, 0 stopped, 0 left; nothing was changed")
}

// acked is what callers were told had happened, and what they were shown of it. Several may write into it at once.
type acked struct {
	*stores
	mu      sync.Mutex
	said    map[string][]string          // the texts that were said, by ticket
	shown   map[string][]json.RawMessage // the events of each, as they were when they were remembered
	written int                          // requests that were done
}

func newAcked(s *stores) *acked { return &acked{stores: s, said: map[string][]string{}} }

// done notes that something was done to a ticket.
func (a *acked) done(number string, texts ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.said[number] = append(a.said[number], texts...)
	a.written++
}

func (a *acked) open() string {
	a.t.Helper()
	number := a.stores.open()
	a.done(number)
	return number
}

func (a *acked) say(number string) {
	a.t.Helper()
	text := uuid.NewString()
	a.tell(number, text)
	a.done(number, text)
}

// status opens a ticket again, or closes it.
func (a *acked) status(number, status string) {
	a.t.Helper()
	a.ask("PUT", "/api/issue/"+number+"/status", map[string]any{"status": status, "operator": "li"})
	a.done(number)
}

// events gives what a ticket's timeline says of what happened to it, as it stands there; what it says of deliveries is left out.
func (a *acked) events(number string) (events []json.RawMessage) {
	a.t.Helper()
	for after := "0"; after != ""; {
		page := result[struct {
			Items []json.RawMessage
			Next  string `json:"next_cursor"`
		}](a.t, a.c.must(a.t, "GET", "/api/issue/"+number+"/timeline?limit=200&after="+after, nil))
		for _, item := range page.Items {
			var event struct{ Seq int64 }
			require.NoError(a.t, json.Unmarshal(item, &event))
			if event.Seq > 0 {
				events = append(events, item)
			}
		}
		after = page.Next
	}
	return events
}

// remember keeps what everybody may see of every ticket now.
func (a *acked) remember() {
	a.t.Helper()
	a.shown = map[string][]json.RawMessage{}
	for number := range a.said {
		a.shown[number] = a.events(number)
	}
}

// check holds what there is now against what was told: nothing is there twice, everything is there, and whatever was shown before still stands where it stood.
func (a *acked) check() {
	a.t.Helper()
	for number, texts := range a.said {
		there := a.stores.said(number)
		for _, text := range texts {
			require.Equal(a.t, 1, there[text], "%s of %s", text, number)
		}
		for text, times := range there {
			require.Equal(a.t, 1, times, "%s of %s", text, number)
			require.Contains(a.t, texts, text, "nobody was told that it happened")
		}
	}
	for number, shown := range a.shown {
		events := a.events(number)
		require.GreaterOrEqual(a.t, len(events), len(shown), number)
		for i, event := range shown {
			require.JSONEq(a.t, string(event), string(events[i]), number)
		}
	}
}

// goesOn holds everything that was told against what there is, and has every ticket go on: those that are open to their end, those that are over as far as that goes.
func (a *acked) goesOn(open, over []string) {
	a.t.Helper()
	a.check()
	a.sound()
	for _, n := range open {
		a.say(n)
		a.closes(n)
	}
	for _, n := range over {
		a.say(n)
		require.Equal(a.t, "CLOSED", a.c.issue(a.t, n).Status)
	}
	a.say(a.open())
	a.check()
	a.sound()
}
