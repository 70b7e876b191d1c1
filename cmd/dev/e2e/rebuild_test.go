package e2e

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
)

// TestTheReadModelIsRebuiltBesideCallers spoils rows of tickets, and has them made anew by a command while callers open, act on and close others through the API and the workers.
func TestTheReadModelIsRebuiltBesideCallers(t *testing.T) {
	t.Parallel()
	s := startStores(t, "rebuilt", "SIGNALBOX_COMPARE_EVERY=1h") // so that nobody else brings rows up
	dsn := ""
	for _, setting := range s.env {
		if value, is := strings.CutPrefix(setting, "SIGNALBOX_DATABASE_URL="); is {
			dsn = value
		}
	}
	db, err := sql.Open("pgx", dsn)
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	a := newAcked(s)
	open, over := []string{a.open(), a.open(), a.open()}, []string{a.open(), a.open()}
	for i, n := range append(open[:len(open):len(open)], over...) {
		if i != 0 {
			s.accept(n)
		}
		a.say(n)
		a.say(n)
	}
	for _, n := range over {
		a.status(n, "CLOSED")
	}
	a.remember()
	l := startLoad(t, harness.NewReceiver(t), 4, s.c)
	l.awaitMore(20, 2*time.Minute)

	own := "'" + strings.Join(append(open[:len(open):len(open)], over...), "', '") + "'"
	of := " WHERE ticket_id IN (SELECT id FROM tickets WHERE number IN (" + own + "))"
	for _, statement := range []string{
		`UPDATE tickets SET state = '{}', seq = 1, open = NOT open, phase = 'z', assignee = 'z', ended_at = created_at, updated_at = created_at, sla = 'breached', due_at = created_at WHERE number IN (` + own + `)`,
		`DELETE FROM messages` + of, `DELETE FROM people` + of, `DELETE FROM ticket_nodes` + of, `DELETE FROM waiting` + of,
		`INSERT INTO waiting (tenant, person, ticket_id) SELECT tenant, 'nobody', id FROM tickets WHERE number IN (` + own + `)`,
		`DELETE FROM unposted` + of, `UPDATE tickets SET origin = 'z' WHERE number NOT IN (` + own + `)`,
		`INSERT INTO tallies (tenant, day, service, what, detail, n) VALUES ('default', '', '', 'phase', 'z', 7)`,
	} {
		_, err := db.Exec(statement)
		require.NoError(t, err, statement)
	}
	out, code := s.migrate("verify")
	require.NotZero(t, code, out)
	told, code := s.migrate("rebuild", "-dry-run")
	require.Zero(t, code, told)
	out, code = s.migrate("rebuild")
	require.Zero(t, code, out)
	for _, n := range append(open[:len(open):len(open)], over...) {
		require.Contains(t, told, n+" of default: would be made anew: ")
		require.Contains(t, out, n+" of default: made anew: ")
	}
	require.Contains(t, out, ", 0 not known; ")
	require.NotContains(t, out, "; 0 counts put right")
	t.Log(out[strings.LastIndex(strings.TrimSpace(out), "\n")+1:])
	l.awaitMore(20, 2*time.Minute)
	l.stop()

	// What they did meanwhile is as right as what was made anew.
	out, code = s.migrate("rebuild")
	require.Zero(t, code, out)
	require.Contains(t, out, " 0 made anew, 0 brought up by 0 events, 0 taken in, 0 not known; 0 counts put right, words of 0 tickets")
	for _, n := range append(open[:len(open):len(open)], over...) {
		var wrong int
		require.NoError(t, db.QueryRow(fmt.Sprintf(`SELECT COUNT(*) FROM tickets WHERE number = '%s' AND (phase = 'z' OR assignee = 'z' OR origin <> 'e2e' OR open = (ended_at IS NOT NULL))`, n)).Scan(&wrong))
		require.Zero(t, wrong, n)
	}
	l.check()
	a.goesOn(open, over)
}
