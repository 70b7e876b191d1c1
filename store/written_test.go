package store_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/store"
	"signalbox/store/storetest"
	"signalbox/ticket"
)

// written is what requests wrote, by table: rows inserted, changed, and of these without a new entry in any index, and removed.
type written map[string][4]int

// of tells it of each of so many requests, the tables in order.
func (w written) of(requests int) string {
	var parts []string
	for _, table := range slices.Sorted(maps.Keys(w)) {
		var what []string
		for i, word := range []string{"+", "~", "=", "-"} {
			if n := w[table][i]; n > 0 {
				what = append(what, fmt.Sprint(word, float64(n)/float64(requests)))
			}
		}
		if len(what) > 0 {
			parts = append(parts, table+" "+strings.Join(what, " "))
		}
	}
	return strings.Join(parts, ", ")
}

// TestWhatARequestWrites: how many rows a request adds (+), changes (~, of which = without a new entry in the table's indexes) and removes (-), in which tables; and how many indexes have those that
// each request writes. Whoever adds to these makes every request dearer; whoever takes away says so here.
func TestWhatARequestWrites(t *testing.T) {
	t.Parallel()
	const times = 10
	dsn := storetest.Postgres(t)
	b := open(t, dsn)
	db := storetest.Raw(t, dsn)
	db.SetMaxOpenConns(1)
	look := func() written {
		counted(t, db)
		_, err := db.Exec(`SELECT pg_stat_force_next_flush()`)
		require.NoError(t, err)
		rows, err := db.Query(`SELECT relname, n_tup_ins, n_tup_upd, n_tup_hot_upd, n_tup_del FROM pg_stat_user_tables`)
		require.NoError(t, err)
		defer rows.Close()
		out := written{}
		for rows.Next() {
			var table string
			var n [4]int
			require.NoError(t, rows.Scan(&table, &n[0], &n[1], &n[2], &n[3]))
			out[table] = n
		}
		require.NoError(t, rows.Err())
		return out
	}
	var stories []*story
	opening := func(use *bench) {
		use.n++
		op, prepare := use.opening(fmt.Sprint("open", use.n))
		claimed, fresh, err := use.ledger.Claim(t.Context(), op, func(op *desk.Operation) error {
			err := prepare(op)
			if err == nil {
				d := draft("a title of some words")
				d.Opener, d.Tags, d.Relations = "li", []string{"gate"}, []ticket.Relation{{Type: "order", Content: []string{"1"}}}
				op.Opening, err = ticket.Open(d, op.Ticket, op.ID, op.CreatedAt)
			}
			return err
		})
		require.NoError(t, err)
		require.True(t, fresh)
		require.NoError(t, use.ledger.Finish(t.Context(), claimed, claimed.Opening))
		stories = append(stories, &story{t: t, ticket: ticket.Fold(ticket.Ticket{}, claimed.Opening), events: claimed.Opening, at: use.clock.Now()})
	}
	acting := func(c ticket.Command) func(use *bench) {
		n := 0
		return func(use *bench) {
			s := stories[n]
			n++
			op := use.operation(fmt.Sprint(c.Action, use.n))
			use.n++
			op.Ticket, op.Answer = s.ticket.Identity, desk.Answer{Status: 200, Body: json.RawMessage(`{}`)}
			c.Operation = op.ID
			op.Command = &c
			op, fresh, err := use.ledger.Claim(t.Context(), op, nothing)
			require.NoError(t, err)
			require.True(t, fresh)
			require.NoError(t, use.ledger.Finish(t.Context(), op, s.do(c)))
		}
	}
	for _, c := range []struct {
		what string
		do   func(use *bench)
		want string
	}{
		{"open", opening, "counters ~1 =1, events +1, operations +1 ~1, people +2, relations +1, tally_entries +1, ticket_nodes +1, ticket_tags +1, tickets +1, unposted +1"},
		{"accept", acting(ticket.Command{Action: ticket.Accept}), "events +1, operations +1 ~1, tally_entries +1, ticket_nodes ~1, tickets ~1, waiting +1"},
		{"relate", acting(ticket.Command{Action: ticket.Relate, Relation: &ticket.Relation{Type: "manifest", Content: []string{"1"}}}), "events +1, operations +1 ~1, relations +1, tickets ~1"},
		{"commit a solution", acting(ticket.Command{Action: ticket.CommitSolution, Solution: &ticket.Solution{Type: "inc_type_p_config_issues", Cause: "c", Text: "s"}}), "events +1, operations +1 ~1, tally_entries +1, ticket_nodes ~1, tickets ~1"},
		{"confirm", acting(ticket.Command{Action: ticket.Confirm, Verdict: &ticket.Verdict{Passed: true, Comment: "good"}}), "events +1, operations +1 ~1, people ~1, tally_entries +1, ticket_nodes -1, tickets ~1, waiting -1"},
	} {
		before := look()
		s, err := store.Open(t.Context(), dsn+"&application_name=observed", store.Options{MasterKey: masterKey, Now: b.clock.Now, Connections: 1, Log: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		use := *b
		use.Store, use.ledger, use.outbox = s, s.Ledger(), s.Outbox
		for range times {
			c.do(&use)
		}
		b.n = use.n
		require.NoError(t, s.Close())
		after := look()
		for table, n := range before {
			for i := range n {
				n[i] = after[table][i] - n[i]
			}
			before[table] = n
		}
		assert.Equal(t, c.want, before.of(times), c.what)
	}
	var indexes string
	require.NoError(t, db.QueryRow(`SELECT string_agg(relname || ' ' || n, ', ' ORDER BY relname) FROM (SELECT c.relname, COUNT(*) AS n FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
		WHERE c.relname IN ('tickets', 'operations', 'events', 'people', 'waiting', 'ticket_nodes', 'tally_entries') GROUP BY c.relname) t`).Scan(&indexes))
	assert.Equal(t, "events 5, operations 11, people 3, tally_entries 1, ticket_nodes 2, tickets 21, waiting 2", indexes)
}
