package e2e

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
	"signalbox/store/postgrestest"
)

// stores is a production whose two stores are processes of its own, so that each can be put back to what it was.
type stores struct {
	*production
	t       *testing.T
	cluster *postgrestest.Cluster
	workers []*harness.Process
	c       *caller
}

func startStores(t *testing.T, name string, more ...string) *stores {
	t.Helper()
	cluster, err := postgrestest.NewCluster()
	postgrestest.Require(t, err)
	t.Cleanup(func() { require.NoError(t, cluster.Close()) })
	dsn, err := cluster.CreateDatabase(t.Context())
	require.NoError(t, err)
	s := &stores{production: startProductionOn(t, newTemporal(t), name, dsn, append(more, "SIGNALBOX_REQUEST_TIMEOUT=5s")...), t: t, cluster: cluster}
	s.startWorkers()
	s.c = s.caller()
	return s
}

func (s *stores) startWorkers() {
	s.t.Helper()
	s.workers = []*harness.Process{s.startWorker(s.t, "tickets"), s.startWorker(s.t, "deliveries")}
}

func (s *stores) stopWorkers() {
	s.t.Helper()
	for _, w := range s.workers {
		w.Terminate(time.Minute)
	}
}

// backup keeps what Temporal has now; restore puts that back, as the documents say: with everything stopped but the API, which tells callers so.
func (s *stores) backupTemporal() (restore func()) {
	s.t.Helper()
	file := s.temporal.file
	endings := []string{"", "-wal", "-shm"}
	s.temporal.Kill()
	for _, ending := range endings {
		copyFile(s.t, file+ending, file+".kept"+ending)
	}
	s.temporal.start(s.t)
	harness.UntilOK(s.t, s.api+"/readyz", time.Minute)
	return func() {
		s.t.Helper()
		s.stopWorkers()
		s.temporal.Kill()
		for _, ending := range endings {
			copyFile(s.t, file+".kept"+ending, file+ending)
		}
		s.temporal.start(s.t)
		s.startWorkers()
		harness.UntilOK(s.t, s.api+"/readyz", time.Minute)
	}
}

// copyFile copies a file; where there is none, there is none then.
func copyFile(t testing.TB, from, to string) {
	t.Helper()
	raw, err := os.ReadFile(from)
	if os.IsNotExist(err) {
		_ = os.Remove(to)
		return
	}
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, raw, 0o600))
}

func (s *stores) backupDatabase() (restore func()) {
	s.t.Helper()
	back, err := s.cluster.Backup()
	require.NoError(s.t, err)
	harness.UntilOK(s.t, s.api+"/readyz", time.Minute)
	return func() {
		s.t.Helper()
		s.stopWorkers()
		require.NoError(s.t, back())
		s.startWorkers()
		harness.UntilOK(s.t, s.api+"/readyz", time.Minute)
	}
}

// say adds a message to a ticket's conversation, and gives the answer.
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
	code := m.Wait(2 * time.Minute)
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
			a, _, err := s.c.persist(s.t.Context(), "POST", handlePath, uuid.NewString(), step.body)
			require.NoError(s.t, err)
			require.Equal(s.t, 200, a.status, a)
		}
	}
	require.Equal(s.t, "CLOSED", s.c.issue(s.t, number).Status)
}

// TestNoFalseSuccessOnceTemporalLostItsTail puts an older copy of Temporal's store back. Nothing that is done then is said to have happened and has not.
func TestNoFalseSuccessOnceTemporalLostItsTail(t *testing.T) {
	t.Parallel()
	s := startStores(t, "tail")
	number, untouched := s.c.open(t), s.c.open(t)
	s.c.must(t, "POST", handlePath, incidentCall(t, "accept.json", number))
	restore := s.backupTemporal()
	require.Equal(t, 200, s.say(number, "before").status)
	opened := s.c.open(t)
	restore()

	a := s.say(number, "afterwards")
	t.Logf("a ticket whose workflow lost its tail: %s", a)
	if a.status == 200 {
		require.Equal(t, 1, s.said(number)["afterwards"], "it is said to have happened: %s", a)
	}
	requireUnavailable(t, "/api/issue/"+number, a)
	require.Zero(t, s.said(number)["afterwards"])
	requireUnavailable(t, "/api/issue/"+opened, s.say(opened, "afterwards"))
	require.Equal(t, 200, s.say(untouched, "afterwards").status, "a ticket that lost nothing goes on")

	for _, lost := range []string{number, opened} {
		_, alerts := s.c.wholeTimeline(t, lost)
		require.Len(t, alerts, 1)
		require.Equal(t, "ticket_in_doubt", alerts[0].Type)
		requireUnavailable(t, "/api/issue/"+lost, s.say(lost, "once more"))
	}
	out, code := s.migrate("verify")
	require.NotZero(t, code, out)
	for _, lost := range []string{number, opened} {
		require.Contains(t, out, fmt.Sprintf("ticket %s of default: it is in doubt", lost))
	}
	require.Equal(t, 2, strings.Count(out, "it is in doubt"), out)

	// It is put right by one command, which says beforehand what it does.
	told, code := s.migrate("reconcile", "-dry-run")
	require.Zero(t, code, told)
	done, code := s.migrate("reconcile")
	require.Zero(t, code, done)
	for _, lost := range []string{number, opened} {
		require.Contains(t, told, lost+": would be begun again: ")
		require.Contains(t, done, lost+": begun again: ")
	}
	require.Equal(t, 2, strings.Count(done, ": begun again: "), done)
	s.sound()
	require.Equal(t, map[string]int{"before": 1}, s.said(number))
	for _, n := range []string{number, opened, untouched} {
		require.Equal(t, 200, s.say(n, "reconciled").status)
		s.closes(n)
	}
	s.sound()
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

// acked is what callers were told had happened: texts that were said, by ticket, and tickets that were opened.
type acked struct {
	*stores
	said map[string][]string
}

func (a *acked) open() string {
	a.t.Helper()
	number := a.c.open(a.t)
	a.said[number] = nil
	return number
}

func (a *acked) say(number string) {
	a.t.Helper()
	text := uuid.NewString()
	require.Equal(a.t, 200, a.stores.say(number, text).status)
	a.said[number] = append(a.said[number], text)
}

// check holds what there is now against what was told: nothing is there twice, and everything is there that lost does not name.
func (a *acked) check(lost ...string) {
	a.t.Helper()
	for number, texts := range a.said {
		there := a.stores.said(number)
		for _, text := range texts {
			if !slices.Contains(lost, text) {
				require.Equal(a.t, 1, there[text], "%s of %s", text, number)
			}
		}
		for text, times := range there {
			require.Equal(a.t, 1, times, "%s of %s", text, number)
			require.Contains(a.t, texts, text, "nobody was told that it happened")
		}
	}
}

// TestNoNumberIsGivenTwice puts the database back. Openings go on at once, whatever was numbered since.
func TestNoNumberIsGivenTwice(t *testing.T) {
	t.Parallel()
	s := startStores(t, "numbers")
	requests, receiver := itsm{s.c, t}, harness.NewReceiver(t)
	restore := s.backupDatabase() // it has known no ticket
	given := map[string]bool{}
	for range 3 {
		given[requests.create(receiver.URL("/told"))] = true
	}
	restore()
	for range 3 {
		number := requests.create(receiver.URL("/told"))
		require.False(t, given[number], number)
		given[number] = true
	}
	out, code := s.migrate("reconcile")
	require.Zero(t, code, out)
	require.Contains(t, out, "0 brought up, 3 taken in, 0 begun again")
	s.sound()
}

// TestRowsAreBroughtUpByThemselves puts the database back. Nobody reconciles anything; the schedule brings up what nobody acts on, and takes in what it does not know.
func TestRowsAreBroughtUpByThemselves(t *testing.T) {
	t.Parallel()
	s := startStores(t, "schedule", "SIGNALBOX_COMPARE_EVERY=1s")
	a := &acked{s, map[string][]string{}}
	behind, refused := a.open(), a.open()
	restore := s.backupDatabase()
	a.say(behind)
	orphan := a.open()
	a.say(orphan)
	s.c.must(t, "POST", handlePath, incidentCall(t, "accept.json", refused))
	restore()

	// Who is refused sees why at once.
	answer, err := s.c.send(t.Context(), "POST", handlePath, uuid.NewString(), incidentCall(t, "accept.json", refused))
	require.NoError(t, err)
	require.Equal(t, 400, answer.status, answer)
	require.Equal(t, "acknowledged", s.c.issue(t, refused).Phase)

	harness.Until(t, "rows are as their workflows", 5*time.Minute, func() error {
		there, err := s.c.send(t.Context(), "GET", "/api/issue/"+orphan, "", nil)
		if err != nil || there.status != 200 || len(s.said(behind)) == 0 {
			return fmt.Errorf("%v %s", err, there)
		}
		return nil
	})
	a.check()
	s.sound()
	for _, n := range []string{behind, refused, orphan} {
		s.closes(n)
	}
}

// TestComparingDisturbsNobody compares the stores again and again while callers are at it and workers die: nothing is found to contradict, and nobody notices.
func TestComparingDisturbsNobody(t *testing.T) {
	t.Parallel()
	s := startStores(t, "disturbed", "SIGNALBOX_COMPARE_EVERY=1s")
	l := startLoad(t, harness.NewReceiver(t), 6, s.c)
	for range 3 {
		l.awaitMore(40, 2*time.Minute)
		out, code := s.migrate("reconcile")
		require.Zero(t, code, out)
		require.Contains(t, out, "0 begun again, 0 stopped, 0 left", out)
		s.workers[0].Kill()
		s.workers[0] = s.startWorker(t, "tickets")
	}
	l.awaitMore(40, 2*time.Minute)
	l.stop()
	l.check()
	out, code := s.migrate("verify")
	require.Zero(t, code, out)
	s.sound()
}

// TestTemporalPutBack: a ledger of everything that was acknowledged before Temporal was put back to an earlier state, with all kinds of tickets.
func TestTemporalPutBack(t *testing.T) {
	t.Parallel()
	s := startStores(t, "put-back")
	a := &acked{s, map[string][]string{}}
	behind, over, reopened, signalled, well := a.open(), a.open(), a.open(), a.open(), a.open()
	status := func(number, status string) {
		t.Helper()
		s.c.must(t, "PUT", "/api/issue/"+number+"/status", map[string]any{"status": status, "operator": "li"})
	}
	for _, n := range []string{behind, over, reopened, signalled, well} {
		s.c.must(t, "POST", handlePath, incidentCall(t, "accept.json", n))
		a.say(n)
	}
	restore := s.backupTemporal()
	for range 3 {
		a.say(behind)
		a.say(signalled)
	}
	status(over, "CLOSED")
	a.say(over) // in its next generation
	status(reopened, "CLOSED")
	status(reopened, "OPEN")
	a.say(reopened)
	missing, gone := a.open(), a.open()
	a.say(missing)
	status(gone, "CLOSED")
	restore()

	// What went on meanwhile by itself is not taken, and named.
	temporal := dialTemporal(t, s.temporal.address, s.namespace)
	require.NoError(t, temporal.SignalWorkflow(t.Context(), "ticket:"+signalled, "", "accept", map[string]any{"operator": "zhao"}))
	harness.Until(t, "the ticket is in doubt", time.Minute, func() error {
		if _, alerts := s.c.wholeTimeline(t, signalled); len(alerts) == 0 {
			return errors.New("nobody says so")
		}
		return nil
	})
	out, code := s.migrate("reconcile")
	t.Log(out)
	require.Zero(t, code, out)
	for _, n := range []string{behind, reopened, signalled, missing} {
		require.Contains(t, out, n+": begun again: ")
	}
	require.Contains(t, out, over+": stopped: ")
	require.Regexp(t, `dropped: event 4, refused by zhao \(signal\)`, out)
	require.Contains(t, out, "4 begun again, 1 stopped, 0 left")
	a.check()
	s.sound()
	for _, n := range []string{behind, reopened, signalled, missing, well} {
		a.say(n)
		s.closes(n)
	}
	for _, n := range []string{over, gone} {
		a.say(n)
		require.Equal(t, "CLOSED", s.c.issue(t, n).Status)
	}
	a.say(a.open())
	a.check()
	s.sound()
}

// TestDatabasePutBack: likewise with the database.
func TestDatabasePutBack(t *testing.T) {
	t.Parallel()
	s := startStores(t, "put-back-database")
	a := &acked{s, map[string][]string{}}
	behind, over, reopened, well := a.open(), a.open(), a.open(), a.open()
	status := func(number, status string) {
		t.Helper()
		s.c.must(t, "PUT", "/api/issue/"+number+"/status", map[string]any{"status": status, "operator": "li"})
	}
	for _, n := range []string{behind, over, reopened, well} {
		s.c.must(t, "POST", handlePath, incidentCall(t, "accept.json", n))
		a.say(n)
	}
	restore := s.backupDatabase()
	a.say(behind)
	status(over, "CLOSED")
	status(reopened, "CLOSED")
	status(reopened, "OPEN")
	a.say(reopened)
	missing, gone := a.open(), a.open()
	a.say(missing)
	status(gone, "CLOSED")
	restore()

	// Nothing is numbered as what was lost, although nobody has reconciled anything.
	later := a.open()
	a.say(later)
	out, code := s.migrate("reconcile", "-dry-run")
	require.Zero(t, code, out)
	out, code = s.migrate("reconcile")
	t.Log(out)
	require.Zero(t, code, out)
	for _, n := range []string{behind, over, reopened} {
		require.Contains(t, out, n+": brought up: ")
	}
	for _, n := range []string{missing, gone} {
		require.Contains(t, out, n+": taken in: ")
	}
	require.Contains(t, out, "3 brought up, 2 taken in, 0 begun again, 0 stopped, 0 left")
	require.Equal(t, 5, strings.Count(out, "not known: idempotency keys"), out)
	a.check()
	s.sound()
	for _, n := range []string{behind, reopened, missing, later, well} {
		a.say(n)
		s.closes(n)
	}
	for _, n := range []string{over, gone} {
		a.say(n)
		require.Equal(t, "CLOSED", s.c.issue(t, n).Status)
	}
	a.say(a.open())
	a.check()
	s.sound()
}
