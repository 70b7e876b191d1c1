package store_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/store"
	"signalbox/store/postgrestest"
	"signalbox/ticket"
)

// BenchmarkProject is what it costs to write down one action, and to open a ticket.
func BenchmarkProject(b *testing.B) {
	for _, database := range []string{"sqlite", "postgres"} {
		dsn := "sqlite:" + filepath.Join(b.TempDir(), "a.db")
		if database == "postgres" {
			dsn = postgrestest.Start(b)
		}
		s, err := store.Open(b.Context(), dsn, store.Options{MasterKey: masterKey, Log: slog.New(slog.DiscardHandler)})
		require.NoError(b, err)
		b.Cleanup(func() { require.NoError(b, s.Close()) })
		_, err = s.Migrate(b.Context())
		require.NoError(b, err)
		n := int64(0)
		begin := func() []ticket.Event {
			n++
			id := ticket.Identity{ID: n, UUID: fmt.Sprintf("10000000-0000-4000-8000-%012d", n), Tenant: "a", Number: ticket.SeriesIM.Number(epoch, n)}
			events, err := ticket.Open(ticket.Draft{Channel: ticket.ChannelIssue, App: "demo", Origin: "customs", Title: "a title of some words"}, id, fmt.Sprint("op-", n), epoch)
			require.NoError(b, err)
			return events
		}
		b.Run(database+"/open", func(b *testing.B) {
			for b.Loop() {
				events := begin()
				require.NoError(b, s.Ledger().Project(b.Context(), events[0].After.Opening.Identity, events))
			}
		})
		b.Run(database+"/act", func(b *testing.B) {
			events := begin()
			id := events[0].After.Opening.Identity
			require.NoError(b, s.Ledger().Project(b.Context(), id, events))
			t, at := ticket.Fold(ticket.Ticket{}, events), epoch
			for b.Loop() {
				at = at.Add(time.Millisecond)
				events, err := ticket.Decide(t, ticket.Command{Action: ticket.Relate, Operator: "li", Channel: ticket.ChannelIssue, App: "demo", Admin: true,
					Relation: &ticket.Relation{Type: "manifest", Content: []string{fmt.Sprint(at.UnixNano())}}}, at)
				require.NoError(b, err)
				t = ticket.Fold(t, events)
				require.NoError(b, s.Ledger().Project(context.Background(), id, events))
			}
		})
	}
}
