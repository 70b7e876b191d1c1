package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/notice"
	"signalbox/people"
	"signalbox/store"
	"signalbox/store/postgrestest"
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

// TestWhatIsPutRightMeanwhileStaysRight: somebody puts right what lies beside a ticket's timeline while a request is between its reading and its writing. What the request has read was wrong, and
// is not written back.
func TestWhatIsPutRightMeanwhileStaysRight(t *testing.T) {
	relate := ticket.Command{Action: ticket.Relate, Relation: &ticket.Relation{Type: "manifest", Content: []string{"1"}}}
	for _, c := range []struct {
		what  string
		wrong func(b *bench) (*story, ticket.Command) // gives a ticket of which something is wrong, and what is done to it
		right func(b *bench, s *story)
	}{
		{"the row is made anew", func(b *bench) (*story, ticket.Command) {
			s := b.opened("a", draft("x"))
			b.tamper(`UPDATE tickets SET state = replace(state, '"customs"', '"others"')`)
			return s, relate
		}, func(b *bench, s *story) {
			require.NoError(b.t, b.Remake(b.t.Context(), []int64{s.ticket.ID}, false, func(one desk.Remade) error {
				require.NotEmpty(b.t, one.Wrong)
				return nil
			}))
		}},
		{"it is written down that it is stuck", func(b *bench) (*story, ticket.Command) {
			s := b.failing("a")
			b.tamper(`DELETE FROM stuck`, `UPDATE unlooked SET up_to = 1000`)
			return s, ticket.Command{Action: ticket.Retry}
		}, func(b *bench, _ *story) {
			require.NoError(b.t, b.LookForStuck(b.t.Context()))
			require.Equal(b.t, 1, b.count(`SELECT COUNT(*) FROM stuck`))
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			both(t, func(t *testing.T, b *bench) {
				s, do := c.wrong(b)
				ctx := desk.WithMemory(t.Context())
				_, err := b.ledger.Ticket(ctx, "a", s.ticket.Number)
				require.NoError(t, err)
				op := b.operation("k")
				op.Ticket, do.Operation, op.Command = s.ticket.Identity, op.ID, &do
				op, _, err = b.ledger.Claim(ctx, op, nothing)
				require.NoError(t, err)
				said := s.do(do)
				c.right(b, s)
				require.NoError(t, b.ledger.Finish(ctx, op, said))
				_, faults := b.verify(verify.Options{Ticket: s.ticket.Number})
				require.Empty(t, faults)
			})
		})
	}
}

// TestWhatIsCommittedWhileTheRowIsWaitedFor: a request that writes down what happened has to wait for the ticket's row. What whoever held it has done counts, although what was asked had begun before.
func TestWhatIsCommittedWhileTheRowIsWaitedFor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what      string
		meanwhile func(ctx context.Context, b *bench, s *story, said []ticket.Event)
		err       error // of finishing
		told      int   // how many deliveries there are
	}{
		{"somebody registers", func(ctx context.Context, b *bench, s *story, _ []ticket.Event) {
			_, err := b.Register(ctx, s.ticket, notice.Subscription{URL: hook})
			require.NoError(b.t, err)
		}, nil, 1},
		{"somebody follows", func(ctx context.Context, b *bench, s *story, _ []ticket.Event) {
			require.NoError(b.t, b.Follow(ctx, s.ticket, "ada", true))
		}, nil, 1},
		{"the same is written", func(ctx context.Context, b *bench, s *story, said []ticket.Event) {
			require.NoError(b.t, b.ledger.Project(ctx, s.ticket.Identity, said))
		}, nil, 0},
		{"it comes to be in doubt", func(ctx context.Context, b *bench, s *story, _ []ticket.Event) {
			require.NoError(b.t, b.ledger.Doubt(ctx, s.ticket.Identity, "for a test"))
		}, desk.ErrInDoubt, 0},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			b := open(t, storetest.Postgres(t)) // SQLite has one writer at a time
			b.mailing()
			_, err := b.keep(people.Person{ID: "ada", Active: true, Email: "ada@example.com"})
			require.NoError(t, err)
			s, ctx := b.drawn(), desk.WithMemory(t.Context())
			_, err = b.ledger.Ticket(ctx, "a", s.ticket.Number)
			require.NoError(t, err)
			op, do := b.operation("k"), ticket.Command{Action: ticket.Say, Message: &ticket.Message{ID: "m", Author: "li", Content: "x"}}
			op.Ticket, do.Operation, op.Command = s.ticket.Identity, op.ID, &do
			op, _, err = b.ledger.Claim(ctx, op, nothing)
			require.NoError(t, err)
			said := s.do(do)
			require.NotNil(t, b.ledger.Outright(ctx, op.Ticket, said))
			commit := b.meanwhile(func(ctx context.Context) { c.meanwhile(ctx, b, s, said) })
			finished := make(chan error)
			go func() { finished <- b.ledger.Finish(ctx, op, said) }()
			require.Eventually(t, func() bool {
				return b.count(`SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) > 0
			}, time.Minute, 10*time.Millisecond)
			commit()
			require.ErrorIs(t, <-finished, c.err)
			require.Equal(t, c.told, b.count(`SELECT COUNT(*) FROM deliveries`))
			if c.err != nil {
				require.Zero(t, b.count(`SELECT COUNT(*) FROM events WHERE seq > 1`))
				return
			}
			_, faults := b.verify(verify.Options{})
			require.Empty(t, faults)
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

// TestWhatIsWrittenAtOnceIsToldOnce: processes write down what happens to the same tickets, some of it twice, while addresses are registered with them and people begin to follow them. Whoever was
// registered when an event was committed is told of it, once, and nobody else.
func TestWhatIsWrittenAtOnceIsToldOnce(t *testing.T) {
	t.Parallel()
	cluster, err := postgrestest.NewCluster("track_commit_timestamp=on")
	postgrestest.Require(t, err)
	t.Cleanup(func() { require.NoError(t, cluster.Close()) })
	dsn, err := cluster.CreateDatabase(t.Context())
	require.NoError(t, err)
	b := open(t, dsn)
	_, err = b.Migrate(t.Context())
	require.NoError(t, err)
	var ledgers []store.Ledger
	for range 2 {
		b.mailing()
		ledgers = append(ledgers, b.ledger)
	}
	const tickets, actors, actions, registered = 4, 3, 25, 6
	for i := range registered {
		_, err := b.keep(people.Person{ID: fmt.Sprint("p", i), Active: true, Email: "p@example.com"})
		require.NoError(t, err)
	}

	var outright, looked, failed atomic.Int64 // how often it was written: relying on what was read, by looking, and by looking since it could not be relied on
	var numbers []string
	var working sync.WaitGroup
	var ids atomic.Int64
	for i := range tickets {
		s := b.opened(fmt.Sprint("t", i), draft("x")) // a tenant for each, since it is for a tenant that it is looked first
		if i == 0 {
			s = b.opened("a", draft("x")) // which has the people
		}
		numbers = append(numbers, s.ticket.Number)
		var mu sync.Mutex // of the workflow
		done := make(chan struct{}, actors*actions)
		for range actors {
			working.Go(func() {
				for n := range actions {
					ledger := ledgers[rand.N(len(ledgers))]
					ctx := desk.WithMemory(t.Context())
					_, err := ledger.Ticket(ctx, s.ticket.Tenant, s.ticket.Number)
					assert.NoError(t, err)
					id := ids.Add(1)
					op := desk.Operation{ID: fmt.Sprintf("20000000-0000-4000-8000-%012d", id), Request: request(""), Kind: desk.KindHandle, Ticket: s.ticket.Identity, State: desk.Running,
						CreatedAt: b.clock.Now(), Lease: b.clock.Now().Add(time.Hour), Command: &ticket.Command{Action: ticket.Say, Operator: "li", Message: &ticket.Message{ID: fmt.Sprint("m", id), Author: "li", Content: "x"}}}
					op.Command.Operation, op.Request.App.Tenant = op.ID, s.ticket.Tenant
					_, _, err = ledger.Claim(ctx, op, nothing)
					assert.NoError(t, err)
					mu.Lock()
					said := s.do(*op.Command)
					so := slices.Clone(s.events)
					mu.Unlock()
					if n%5 == 0 { // as whoever looks after what nobody has written down
						working.Go(func() { assert.NoError(t, ledgers[0].Project(t.Context(), s.ticket.Identity, so)) })
					}
					relied := ledger.Outright(ctx, op.Ticket, said) != nil
					err = ledger.Finish(ctx, op, said)
					if errors.Is(err, desk.ErrGap) {
						assert.NoError(t, ledger.Project(ctx, op.Ticket, so))
						err = ledger.Finish(ctx, op, said)
					}
					assert.NoError(t, err)
					switch {
					case !relied:
						looked.Add(1)
					case ledger.Outright(ctx, op.Ticket, said) == nil:
						failed.Add(1)
					default:
						outright.Add(1)
					}
					done <- struct{}{}
				}
			})
		}
		working.Go(func() { // in the middle of it
			for n := range actors * actions {
				<-done
				b.clock.pass(4 * time.Second) // it is looked first for ten
				switch after := n - actors*actions/3; {
				case after < 0 || after%4 != 0:
				case after/4 < registered:
					_, err := b.Register(t.Context(), s.ticket, notice.Subscription{URL: fmt.Sprintf("https://example.com/%d", after)})
					assert.NoError(t, err)
					assert.NoError(t, b.Follow(t.Context(), s.ticket, fmt.Sprint("p", after/4), true))
				}
			}
		})
	}
	working.Wait()
	t.Logf("%d were written outright, %d by looking, and %d by looking since they could not be", outright.Load(), looked.Load(), failed.Load())
	require.Positive(t, outright.Load())
	require.Positive(t, looked.Load())
	require.Positive(t, failed.Load())

	// Both are done with the ticket's row held, which is until they are committed.
	const wrong = `SELECT COUNT(*) FROM events e JOIN (
		SELECT id, ticket_id, pg_xact_commit_timestamp(xmin) AS at FROM subscriptions WHERE ticket_id > 0
		UNION ALL SELECT s.id, p.ticket_id, pg_xact_commit_timestamp(p.xmin) FROM people p JOIN directory_persons d ON d.tenant = p.tenant AND d.id = p.person JOIN subscriptions s ON s.person = d.uid WHERE p.part = 'follower'
		) r ON r.ticket_id = e.ticket_id WHERE e.seq > 1 AND pg_xact_commit_timestamp(e.xmin) <> r.at
		AND (r.at < pg_xact_commit_timestamp(e.xmin)) <> EXISTS (SELECT 1 FROM deliveries d WHERE d.subscription_id = r.id AND d.ticket_id = e.ticket_id AND d.seq = e.seq)`
	require.Zero(t, b.count(wrong))
	require.Equal(t, tickets*actors*actions, b.count(`SELECT COUNT(*) FROM events WHERE seq > 1`))
	require.Equal(t, tickets*actors*actions, b.count(`SELECT COUNT(*) FROM operations WHERE state = 'done'`))
	require.Equal(t, tickets*registered, b.count(`SELECT COUNT(*) FROM subscriptions WHERE ticket_id > 0`))
	require.Equal(t, registered, b.count(`SELECT COUNT(DISTINCT subscription_id) FROM deliveries WHERE letter`))
	for _, number := range numbers {
		_, faults := b.verify(verify.Options{Ticket: number})
		require.Empty(t, faults)
	}
}
