package main

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"signalbox/desk"
	"signalbox/store"
	"signalbox/ticket"
)

func TestHelpNamesTheCommands(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-help"}, &out))
	for _, command := range []string{"app create", "person -tenant T", "reseal -check", "verify -adopt", "reconcile [-dry-run]", "revive [-dry-run]", "rebuild [-dry-run]", "rebuild -count"} {
		require.Contains(t, out.String(), "\nmigrate "+command)
	}
	out.Reset()
	require.NoError(t, run(t.Context(), []string{"verify", "-help"}, &out))
	require.Contains(t, out.String(), "-adopt", "without any setting")
}

func TestVerifyTellsEachFindingAndFails(t *testing.T) {
	file, key := filepath.Join(t.TempDir(), "a.db"), []byte("0123456789abcdef0123456789abcdef")
	t.Setenv("SIGNALBOX_DATABASE_URL", "sqlite:"+file)
	t.Setenv("SIGNALBOX_MASTER_KEY", base64.StdEncoding.EncodeToString(key))
	s, err := store.Open(t.Context(), "sqlite:"+file, store.Options{MasterKey: key, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	verify := func(args ...string) (string, error) {
		var out bytes.Buffer
		err := run(t.Context(), append([]string{"verify"}, args...), &out)
		return out.String(), err
	}
	_, err = verify()
	require.ErrorContains(t, err, "migrate it", "there is nothing to look at yet")
	_, err = s.Migrate(t.Context())
	require.NoError(t, err)
	numbers := []string{open(t, s), open(t, s)}

	out, err := verify()
	require.NoError(t, err)
	require.Equal(t, "2 tickets, 2 rows of timelines (0 taken in later), 0 ids without a ticket; 0 faults, 0 unchained\n", out)

	db, err := sql.Open("sqlite", "file:"+file)
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	_, err = db.Exec(`UPDATE events SET actor = 'somebody else' WHERE ticket_id = 2`)
	require.NoError(t, err)
	out, err = verify()
	require.EqualError(t, err, "1 faults: somebody changed the database, or it was put back in part")
	require.Contains(t, out, "fault: ticket "+numbers[1]+" of north: event 1 is not what was written there")
	out, err = verify("-ticket", numbers[0])
	require.NoError(t, err)
	require.Contains(t, out, "1 tickets, 1 rows")
	_, err = verify("-tenant", "north")
	require.Error(t, err)
	_, err = verify("-tenant", "south")
	require.NoError(t, err)
	_, err = verify("-ticket", "IM1")
	require.ErrorContains(t, err, "there is no such ticket")
	_, err = verify("ticket")
	require.ErrorContains(t, err, "unexpected argument")

	_, err = db.Exec(`DELETE FROM events; DELETE FROM tickets WHERE id = 2; UPDATE tickets SET seq = 0`)
	require.NoError(t, err)
	out, err = verify()
	require.Error(t, err)
	require.Contains(t, out, "fault: the ticket with the id 2 is missing")
}

func TestVerifyTakesInWhatIsFromBeforeTheChain(t *testing.T) {
	file, key := filepath.Join(t.TempDir(), "a.db"), []byte("0123456789abcdef0123456789abcdef")
	t.Setenv("SIGNALBOX_DATABASE_URL", "sqlite:"+file)
	t.Setenv("SIGNALBOX_MASTER_KEY", base64.StdEncoding.EncodeToString(key))
	s, err := store.Open(t.Context(), "sqlite:"+file, store.Options{MasterKey: key, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	_, err = s.Migrate(t.Context())
	require.NoError(t, err)
	open(t, s)
	db, err := sql.Open("sqlite", "file:"+file)
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	_, err = db.Exec(`UPDATE events SET hash = ''; UPDATE tickets SET chain = ''; UPDATE counters SET mark = 0, seal = ''`)
	require.NoError(t, err)
	var out bytes.Buffer
	require.ErrorContains(t, run(t.Context(), []string{"verify"}, &out), "migrate verify -adopt")
	require.Contains(t, out.String(), "unchained: ticket ")
	require.NoError(t, run(t.Context(), []string{"verify", "-adopt"}, &out))
	require.Contains(t, out.String(), "1 rows of timelines (1 taken in later)")
	require.NoError(t, run(t.Context(), []string{"verify"}, &out))
}

// open opens a ticket the way the desk does and gives its number.
func open(t *testing.T, s *store.Store) string {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Microsecond)
	op := desk.Operation{ID: "op-" + now.String(), Request: desk.Request{App: desk.App{Code: "demo", Tenant: "north"}, Channel: ticket.ChannelIssue, Method: "POST", Path: "/api/issue"},
		Kind: desk.KindOpen, Series: ticket.SeriesIM, Ticket: ticket.Identity{UUID: "uuid-" + now.String(), Tenant: "north"}, State: desk.Running, CreatedAt: now, Lease: now.Add(time.Minute)}
	claimed, fresh, err := s.Ledger().Claim(t.Context(), op, func(op *desk.Operation) error {
		events, err := ticket.Open(ticket.Draft{Channel: ticket.ChannelIssue, App: "demo", Origin: "a", Title: "b"}, op.Ticket, op.ID, op.CreatedAt)
		op.Opening = events
		return err
	})
	require.NoError(t, err)
	require.True(t, fresh)
	require.NoError(t, s.Ledger().Finish(t.Context(), claimed, claimed.Opening))
	return claimed.Ticket.Number
}
