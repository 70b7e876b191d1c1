package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/notice"
	"signalbox/store/storetest"
	"signalbox/store/verify"
	"signalbox/ticket"
)

// TestWhatARequestHasReadIsNotReliedOn: a request writes down what happened without looking at the ticket once more. Whatever others do between its reading and its writing
// is as if it had looked.
func TestWhatARequestHasReadIsNotReliedOn(t *testing.T) {
	relate := ticket.Command{Action: ticket.Relate, Relation: &ticket.Relation{Type: "manifest", Content: []string{"1"}}}
	for _, c := range []struct {
		what      string
		meanwhile func(b *bench, s *story, said []ticket.Event) (owed *notice.Subscription)
		err       error // of finishing
	}{
		{"nothing", func(*bench, *story, []ticket.Event) *notice.Subscription { return nil }, nil},
		{"somebody registers", func(b *bench, s *story, _ []ticket.Event) *notice.Subscription {
			sub, err := b.Register(b.t.Context(), s.ticket, notice.Subscription{URL: hook})
			require.NoError(b.t, err)
			return &sub
		}, nil},
		{"somebody follows the stream", func(b *bench, _ *story, _ []ticket.Event) *notice.Subscription {
			sub := b.follow(notice.Filter{})
			return &sub
		}, nil},
		{"the same is written", func(b *bench, s *story, said []ticket.Event) *notice.Subscription {
			b.project(s, said...)
			return nil
		}, nil},
		{"the timeline has an alert", func(b *bench, s *story, _ []ticket.Event) *notice.Subscription {
			require.NoError(b.t, b.ledger.Doubt(b.t.Context(), s.ticket.Identity, "for a test"))
			require.NoError(b.t, b.ledger.Resolve(b.t.Context(), s.ticket.Identity, nil))
			return nil
		}, nil},
		{"it is in doubt", func(b *bench, s *story, _ []ticket.Event) *notice.Subscription {
			require.NoError(b.t, b.ledger.Doubt(b.t.Context(), s.ticket.Identity, "for a test"))
			return nil
		}, desk.ErrInDoubt},
		{"another event is written", func(b *bench, s *story, said []ticket.Event) *notice.Subscription {
			other := said[0]
			other.Operation = "another"
			b.project(s, other)
			return nil
		}, desk.ErrDiverged},
	} {
		t.Run(c.what, func(t *testing.T) {
			both(t, func(t *testing.T, b *bench) {
				s := b.opened("a", draft("x"))
				ctx := desk.WithMemory(t.Context())
				_, err := b.ledger.Ticket(ctx, "a", s.ticket.Number)
				require.NoError(t, err)
				op, do := b.operation("k"), relate
				op.Ticket, do.Operation, op.Command = s.ticket.Identity, op.ID, &do
				op, fresh, err := b.ledger.Claim(ctx, op, nothing)
				require.NoError(t, err)
				require.True(t, fresh)
				said := s.do(do)
				owed := c.meanwhile(b, s, said)
				require.ErrorIs(t, b.ledger.Finish(ctx, op, said), c.err)

				if c.err != nil {
					require.Equal(t, 1, b.count(`SELECT COUNT(*) FROM operations WHERE state = 'running'`))
					return
				}
				require.Equal(t, 1, b.count(`SELECT COUNT(*) FROM operations WHERE state = 'done'`))
				require.Equal(t, 1, b.count(`SELECT COUNT(*) FROM events WHERE seq = 2`))
				require.Equal(t, 1, b.count(`SELECT COUNT(*) FROM relations WHERE type = 'manifest'`))
				if owed != nil {
					require.Len(t, b.deliveries(*owed), 1)
				}
				_, err = b.Verify(t.Context(), verify.Options{Ticket: s.ticket.Number}, func(f verify.Fault) { t.Error(f) })
				require.NoError(t, err)
			})
		})
	}
}

// TestWhatIsOpenedIsNotTakenForNew: an opening is written down without looking for its ticket, or for who is to be told.
func TestWhatIsOpenedIsNotTakenForNew(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		written := b.claimed()
		require.NoError(t, b.ledger.Project(t.Context(), written.Ticket, written.Opening))
		require.NoError(t, b.ledger.Finish(t.Context(), written, written.Opening))
		b.clock.pass(time.Minute) // it is looked first for a while
		sub := b.follow(notice.Filter{})
		told := b.claimed()
		require.NoError(t, b.ledger.Finish(t.Context(), told, told.Opening))
		require.NoError(t, b.ledger.Finish(t.Context(), told, told.Opening))
		require.Len(t, b.deliveries(sub), 1)
		require.Equal(t, 2, b.count(`SELECT COUNT(*) FROM operations WHERE state = 'done'`))
		require.Equal(t, 2, b.count(`SELECT COUNT(*) FROM events`))
		_, err := b.Verify(t.Context(), verify.Options{}, func(f verify.Fault) { t.Error(f) })
		require.NoError(t, err)
	})
}

// TestAKeyThatIsTakenMeanwhile: the claim of an opening adds its row without asking whether it can. Whose key another request has taken since it was looked for begins anew.
func TestAKeyThatIsTakenMeanwhile(t *testing.T) {
	t.Parallel()
	b := open(t, storetest.Postgres(t)) // SQLite has one writer at a time
	op, prepare := b.opening("k")
	first := b.operation("k")
	asked := 0
	_, fresh, err := b.ledger.Claim(t.Context(), op, func(op *desk.Operation) error {
		if asked++; asked == 1 {
			_, taken, err := b.ledger.Claim(t.Context(), first, nothing)
			require.NoError(t, err)
			require.True(t, taken)
		}
		return prepare(op)
	})
	require.True(t, ticket.Is(err, ticket.Busy), "%v", err)
	require.False(t, fresh)
	require.Equal(t, 1, asked)
	require.Equal(t, 1, b.count(`SELECT COUNT(*) FROM operations`))
	require.Zero(t, b.count(`SELECT COALESCE(SUM(value), 0) FROM counters WHERE name = 'tickets'`)) // what was drawn is given back
}
