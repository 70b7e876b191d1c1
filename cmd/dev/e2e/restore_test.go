package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
	"signalbox/workflows"
)

// TestNoFalseSuccessOnceTemporalLostItsTail puts an older copy of Temporal's store back. Nothing that is done then is said to have happened and has not.
func TestNoFalseSuccessOnceTemporalLostItsTail(t *testing.T) {
	t.Parallel()
	s := startStores(t, "tail", "SIGNALBOX_COMPARE_EVERY=24h") // so that nobody looks before somebody acts
	number, untouched := s.open(), s.open()
	s.accept(number)
	// The schedule has one run when it is made: it would go on in the copy that is put back.
	schedule := dialTemporal(t, s.temporal.address, s.namespace).ScheduleClient().GetHandle(t.Context(), workflows.CompareID)
	harness.Until(t, "the first comparison is over", time.Minute, func() error {
		is, err := schedule.Describe(t.Context())
		if err == nil && (is.Info.NumActions == 0 || len(is.Info.RunningWorkflows) > 0) {
			err = fmt.Errorf("%+v", is.Info)
		}
		return err
	})
	restore := s.backupTemporal()
	s.tell(number, "before")
	opened := s.open()
	restore()
	s.inDoubt(0)

	a := s.say(number, "afterwards")
	t.Logf("a ticket whose workflow lost its tail: %s", a)
	if a.status == 200 {
		require.Equal(t, 1, s.said(number)["afterwards"], "it is said to have happened: %s", a)
	}
	requireUnavailable(t, "/api/issue/"+number, a)
	require.Zero(t, s.said(number)["afterwards"])
	requireUnavailable(t, "/api/issue/"+opened, s.say(opened, "afterwards"))
	s.tell(untouched, "afterwards") // what lost nothing goes on

	for _, lost := range []string{number, opened} {
		var alerts []alert
		harness.Until(t, lost+" is in doubt", time.Minute, func() error {
			requireUnavailable(t, "/api/issue/"+lost, s.say(lost, "once more"))
			if _, alerts = s.c.wholeTimeline(t, lost); len(alerts) == 0 {
				return errors.New("its workflow has not answered yet")
			}
			return nil
		})
		require.Len(t, alerts, 1)
		require.Equal(t, "ticket_in_doubt", alerts[0].Type)
	}
	s.inDoubt(2)
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
	s.inDoubt(0)
	s.sound()
	require.Equal(t, map[string]int{"before": 1}, s.said(number))
	for _, n := range []string{number, opened, untouched} {
		s.tell(n, "reconciled")
		s.closes(n)
	}
	s.sound()
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
	a := newAcked(s)
	behind, refused := a.open(), a.open()
	restore := s.backupDatabase()
	a.say(behind)
	orphan := a.open()
	a.say(orphan)
	s.accept(refused)
	restore()

	// Who is refused sees why at once.
	answer, _, err := s.c.persist(t.Context(), "POST", handlePath, uuid.NewString(), incidentCall(t, "accept.json", refused))
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
	a := newAcked(s)
	behind, over, reopened, signalled, well := a.open(), a.open(), a.open(), a.open(), a.open()
	for _, n := range []string{behind, over, reopened, signalled, well} {
		s.accept(n)
		a.say(n)
	}
	restore := s.backupTemporal()
	for range 3 {
		a.say(behind)
		a.say(signalled)
	}
	a.status(over, "CLOSED")
	a.say(over) // in its next generation
	a.status(reopened, "CLOSED")
	a.status(reopened, "OPEN")
	a.say(reopened)
	missing, gone := a.open(), a.open()
	a.say(missing)
	a.status(gone, "CLOSED")
	a.remember()
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
	a.goesOn([]string{behind, reopened, signalled, missing, well}, []string{over, gone})
}

// TestDatabasePutBack: likewise with the database.
func TestDatabasePutBack(t *testing.T) {
	t.Parallel()
	s := startStores(t, "put-back-database")
	a := newAcked(s)
	behind, over, reopened, well := a.open(), a.open(), a.open(), a.open()
	for _, n := range []string{behind, over, reopened, well} {
		s.accept(n)
		a.say(n)
	}
	restore := s.backupDatabase()
	a.say(behind)
	a.status(over, "CLOSED")
	a.status(reopened, "CLOSED")
	a.status(reopened, "OPEN")
	a.say(reopened)
	missing, gone := a.open(), a.open()
	a.say(missing)
	a.status(gone, "CLOSED")
	a.remember()
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
	a.goesOn([]string{behind, reopened, missing, later, well}, []string{over, gone})
}
