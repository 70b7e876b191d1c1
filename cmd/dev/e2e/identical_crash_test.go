package e2e

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
	"signalbox/desk"
	"signalbox/store"
	"signalbox/ticket"
	"signalbox/workflows"
)

// openRolling opens a ticket whose workflow rolls over after so many updates, which is no setting: it is opened at a desk of the test's own.
func (w *twins) openRolling(t testing.TB, after int) (number string) {
	t.Helper()
	var key []byte
	for _, setting := range w.env {
		if text, ok := strings.CutPrefix(setting, "SIGNALBOX_MASTER_KEY="); ok {
			var err error
			key, err = base64.StdEncoding.DecodeString(text)
			require.NoError(t, err)
		}
	}
	log := slog.New(slog.DiscardHandler)
	s, err := store.Open(t.Context(), w.dsn, store.Options{MasterKey: key, Log: log})
	require.NoError(t, err)
	defer s.Close()
	app := desk.App{Code: "admin"}
	require.NoError(t, w.db.QueryRow(`SELECT tenant FROM apps WHERE code = $1`, app.Code).Scan(&app.Tenant))
	d := desk.New(s.Ledger(), &workflows.Engine{Client: w.temporal, Namespace: w.namespace, MoveAfter: after}, desk.Options{Log: log})
	_, err = d.Open(t.Context(), desk.Request{App: app, Channel: ticket.ChannelIssue, Method: "POST", Path: "/api/issue"}, desk.Opening{Series: ticket.SeriesIM,
		Draft: ticket.Draft{Channel: ticket.ChannelIssue, App: app.Code, Origin: "e2e", Title: "rolls over"}, Answer: func(id ticket.Identity) desk.Answer {
			number = id.Number
			return desk.Answer{Status: http.StatusOK}
		}})
	require.NoError(t, err)
	return number
}

// runOf gives the current run of a ticket's workflow; empty: there is none.
func (w *twins) runOf(t testing.TB, number string) string {
	t.Helper()
	described, err := w.temporal.DescribeWorkflowExecution(t.Context(), workflows.TicketID(number, 0), "")
	if err != nil {
		return ""
	}
	return described.WorkflowExecutionInfo.Execution.RunId
}

// holdEvents keeps everybody from writing an event down until it is released.
func (w *twins) holdEvents(t testing.TB) (release func()) {
	t.Helper()
	held, err := w.db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = held.Exec(`LOCK TABLE events IN SHARE MODE`)
	require.NoError(t, err)
	return func() {
		t.Helper()
		require.NoError(t, held.Rollback())
	}
}

// TestKilledBetweenChangeAndAnswer kills a process that has changed tickets in Temporal and is about to write that down, has one of the
// tickets roll over to a run that remembers nothing of it, and then has two processes and the sweep find out at once what became of it.
func TestKilledBetweenChangeAndAnswer(t *testing.T) {
	t.Parallel()
	w := startTwins(t)
	c := newCaller(w.bases[1], bootstrapSecret) // on the one that lives
	said := func(number string) *identical {
		return &identical{name: "said on " + number, method: "POST", path: "/api/issue/" + number + "/conversation", number: number,
			body: map[string]any{"author": "li", "content": "hello"}, other: map[string]any{"author": "li", "content": "goodbye"}}
	}
	rolling := w.openRolling(t, 3)
	opened := &identical{name: "opened", method: "POST", path: "/api/issue", body: map[string]any{"origin": "e2e", "title": "hello"},
		other: map[string]any{"origin": "e2e", "title": "goodbye"}}
	all := []*identical{said(c.open(t)), said(rolling), opened}
	first := w.runOf(t, rolling)

	// As long as nobody can add an event, every request gets as far as Temporal.
	release := w.holdEvents(t)
	var callers sync.WaitGroup
	for i, q := range all {
		q.key, q.id = fmt.Sprintf("killed:%d", i), uuid.NewString()
		callers.Go(func() {
			if a, err := q.send(oneShot(), w.bases[0], q.body); err == nil {
				t.Errorf("%s was answered: %s", q.name, a)
			}
		})
	}
	harness.Until(t, "all has happened in Temporal", time.Minute, func() error {
		for _, q := range all[:2] {
			if n := w.updates(t, q.number); n != 1 {
				return fmt.Errorf("%s: %d updates", q.name, n)
			}
		}
		_ = w.db.QueryRow(`SELECT number FROM operations WHERE request_id = $1`, opened.id).Scan(&opened.number)
		if opened.number == "" || w.runOf(t, opened.number) == "" {
			return fmt.Errorf("nothing is opened")
		}
		return nil
	})
	w.apis[0].Kill()
	callers.Wait()
	release()
	require.Equal(t, len(all), w.count(t, `SELECT COUNT(*) FROM operations WHERE state = 'running'`), "nothing of it is written down")
	w.start(t, 0)

	// The run that it happened in makes way for another.
	for range 3 {
		c.must(t, "POST", "/api/issue/"+rolling+"/conversation", map[string]any{"author": "li", "content": "meanwhile"})
	}
	harness.Until(t, "the ticket has rolled over", time.Minute, func() error {
		if w.runOf(t, rolling) == first {
			return fmt.Errorf("it is in its first run")
		}
		return nil
	})

	// Whoever settles is held up in the middle of it, and everybody else comes by.
	release = w.holdEvents(t)
	const askers = 5 // of each process, for each request
	type told struct {
		of *identical
		answer
	}
	answers := make(chan told, 2*askers*len(all))
	var group sync.WaitGroup
	for _, q := range all {
		for i := range 2 * askers {
			group.Go(func() {
				asker := &caller{base: w.bases[i%2], key: "Access_Key " + bootstrapSecret, http: oneShot()}
				a, _, err := asker.persist(t.Context(), q.method, q.path, q.key, q.body)
				if err != nil {
					t.Error(err)
				}
				answers <- told{q, a}
			})
		}
	}
	settling := func() int {
		return w.count(t, `SELECT COUNT(*) FROM pg_locks WHERE relation = 'events'::regclass AND NOT granted`)
	}
	unwritten := []*identical{all[0], opened} // of the third the next run has written down what it was
	harness.Until(t, "somebody settles", lease+settleWithin, func() error {
		if n := settling(); n < len(unwritten) {
			return fmt.Errorf("%d are settled", n)
		}
		return nil
	})
	for i := range 2 * askers {
		for _, q := range unwritten {
			a, err := q.send(oneShot(), w.bases[i%2], q.body)
			require.NoError(t, err)
			kind, err := kind(a)
			require.NoError(t, err, q.name)
			require.Equal(t, busy, kind, q.name)
		}
	}
	require.Equal(t, len(unwritten), settling(), "each is settled by one of them")
	release()
	group.Wait()
	close(answers)
	for a := range answers {
		require.True(t, a.status == http.StatusOK && a.replayed(), "%s: %s", a.of.name, a)
		a.of.heard = append(a.of.heard, a.answer)
		require.Equal(t, a.of.heard[0].body, a.body, a.of.name)
	}
	for _, q := range all {
		a, err := q.send(oneShot(), w.bases[0], q.other)
		require.NoError(t, err)
		require.Equal(t, http.StatusUnprocessableEntity, a.status, "%s: %s", q.name, a)
		var types []string
		for _, e := range c.timeline(t, q.number) {
			if e.Type != "said" || e.After.Message.Content == "hello" {
				types = append(types, e.Type)
			}
		}
		want := []string{"opened", "said"}
		if q == opened {
			want = want[:1]
			require.Equal(t, q.number, result[string](t, q.heard[0]))
			require.Equal(t, 2, w.count(t, `SELECT COUNT(*) FROM tickets WHERE origin = 'e2e' AND number <> $1`, rolling))
		}
		require.Equal(t, want, types, q.name)
	}
}
