package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/ticket"
)

func marshal(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// operation is a handling under a key ("": none).
func (b *bench) operation(key string) desk.Operation {
	now := b.clock.Now()
	return desk.Operation{ID: b.id(), Request: request(key), Kind: desk.KindHandle, Ticket: ticket.Identity{ID: 1, Number: "IM1", UUID: "u", Tenant: "a"},
		Command: &ticket.Command{Action: ticket.Accept, Operator: "li"}, Answer: desk.Answer{Status: 200, Body: json.RawMessage(`{"a":  1}`)},
		State: desk.Running, CreatedAt: now, Lease: now.Add(30 * time.Second)}
}

// opening is an operation that opens a ticket.
func (b *bench) opening(key string) (desk.Operation, func(*desk.Operation) error) {
	op := b.operation(key)
	op.Kind, op.Series, op.Command = desk.KindOpen, ticket.SeriesIM, nil
	op.Ticket = ticket.Identity{UUID: b.id(), Tenant: "a"}
	return op, func(op *desk.Operation) error {
		events, err := ticket.Open(draft("x"), op.Ticket, op.ID, op.CreatedAt)
		op.Opening = events
		op.Answer = desk.Answer{Status: 200, Body: json.RawMessage(marshal(op.Ticket.Number))}
		return err
	}
}

func nothing(*desk.Operation) error { return nil }

func TestAKeyIsClaimedOnce(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		for _, kind := range []desk.Kind{desk.KindOpen, desk.KindHandle} {
			var mu sync.Mutex
			fresh, busy := []string{}, 0
			var wg sync.WaitGroup
			for range 40 {
				op, prepare := b.opening("key-" + string(kind))
				if kind == desk.KindHandle {
					op, prepare = b.operation("key-"+string(kind)), nothing
				}
				wg.Go(func() {
					claimed, first, err := b.ledger.Claim(background(), op, prepare)
					mu.Lock()
					defer mu.Unlock()
					switch {
					case err == nil && first:
						fresh = append(fresh, claimed.ID)
					case ticket.Is(err, ticket.Busy):
						busy++
					default:
						t.Errorf("%v %v", first, err)
					}
				})
			}
			wg.Wait()
			require.Len(t, fresh, 1)
			require.Equal(t, 39, busy)
		}
		require.Equal(t, 1, b.count(`SELECT value FROM counters WHERE name = 'tickets'`), "who came too late draws no number")
	})
}

func TestNumbersAreGivenOnceAndWithoutGaps(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		var mu sync.Mutex
		var ids []int64
		numbers := map[string]bool{}
		var wg sync.WaitGroup
		for i := range 60 {
			op, prepare := b.opening("")
			if i%2 == 0 {
				op.Series = ticket.SeriesREQ
			}
			wg.Go(func() {
				claimed, fresh, err := b.ledger.Claim(background(), op, prepare)
				mu.Lock()
				defer mu.Unlock()
				if err != nil || !fresh {
					t.Errorf("%v %v", fresh, err)
				}
				ids, numbers[claimed.Ticket.Number] = append(ids, claimed.Ticket.ID), true
			})
		}
		wg.Wait()
		slices.Sort(ids)
		require.Len(t, numbers, 60)
		for i, id := range ids {
			require.EqualValues(t, i+1, id)
		}
		for i := range 30 {
			require.Contains(t, numbers, fmt.Sprintf("REQ20260102%06d", i+1))
		}
		b.clock.pass(24 * time.Hour)
		op, prepare := b.opening("")
		op.Series = ticket.SeriesREQ
		claimed, _, err := b.ledger.Claim(t.Context(), op, prepare)
		require.NoError(t, err)
		require.Equal(t, "REQ20260103000001", claimed.Ticket.Number)
		require.EqualValues(t, 61, claimed.Ticket.ID)
		op, prepare = b.opening("")
		claimed, _, err = b.ledger.Claim(t.Context(), op, prepare)
		require.NoError(t, err)
		require.Equal(t, "IM202601030304050000000062", claimed.Ticket.Number)
	})
}

func TestAClaimThatIsRefusedLeavesNothing(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		op, _ := b.opening("k")
		why := errors.New("no")
		_, _, err := b.ledger.Claim(t.Context(), op, func(*desk.Operation) error { return why })
		require.ErrorIs(t, err, why)
		require.Zero(t, b.count(`SELECT COUNT(*) FROM operations`)+b.count(`SELECT COUNT(*) FROM counters`))
	})
}

func TestADoneOperationGivesItsAnswerAgain(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		op, prepare := b.opening("k")
		claimed, fresh, err := b.ledger.Claim(t.Context(), op, prepare)
		require.NoError(t, err)
		require.True(t, fresh)
		require.NoError(t, b.ledger.Finish(t.Context(), claimed, claimed.Opening))
		require.NoError(t, b.ledger.Finish(t.Context(), claimed, claimed.Opening), "it may be repeated")

		again, prepare := b.opening("k")
		got, fresh, err := b.ledger.Claim(t.Context(), again, prepare)
		require.NoError(t, err)
		require.False(t, fresh)
		claimed.State = desk.Done
		claimed.CreatedAt, claimed.Lease = claimed.CreatedAt.Truncate(time.Microsecond), claimed.Lease.Truncate(time.Microsecond)
		require.Equal(t, claimed, got, "identity, opening and the answer's bytes")

		tkt, err := b.ledger.Ticket(t.Context(), "a", claimed.Ticket.UUID)
		require.NoError(t, err)
		require.Equal(t, claimed.Ticket, tkt.Identity)
		happened, err := b.ledger.Happened(t.Context(), claimed.ID)
		require.NoError(t, err)
		require.True(t, happened)
		happened, err = b.ledger.Happened(t.Context(), again.ID)
		require.NoError(t, err)
		require.False(t, happened)
	})
}

func TestWhatMakesTwoRequestsTheSame(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		claim := func(change func(*desk.Operation)) (bool, error) {
			op := b.operation("k")
			change(&op)
			_, fresh, err := b.ledger.Claim(t.Context(), op, nothing)
			return fresh, err
		}
		fresh, err := claim(func(*desk.Operation) {})
		require.NoError(t, err)
		require.True(t, fresh)
		for _, change := range []func(*desk.Operation){
			func(op *desk.Operation) { op.Request.App.Tenant = "b" },
			func(op *desk.Operation) { op.Request.App.Code = "other" },
			func(op *desk.Operation) { op.Request.Method = "PUT" },
			func(op *desk.Operation) { op.Request.Path = "/api/issue?secret=t" },
			func(op *desk.Operation) { op.Request.Key = "l" },
			func(op *desk.Operation) { op.Request.Key = "" },
			func(op *desk.Operation) { op.Request.Key = "" },
		} {
			fresh, err := claim(change)
			require.NoError(t, err)
			require.True(t, fresh)
		}
		_, err = claim(func(op *desk.Operation) { op.Request.Fingerprint = "g" })
		require.True(t, ticket.Is(err, ticket.Reused))
		require.Zero(t, b.count(`SELECT COUNT(*) FROM operations WHERE path LIKE '%secret%'`), "a query may carry credentials")
	})
}

func TestARefusedOperationFreesItsKey(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		first, _, err := b.ledger.Claim(t.Context(), b.operation("k"), nothing)
		require.NoError(t, err)
		require.NoError(t, b.ledger.Close(t.Context(), first.ID, desk.Refused, "no \x00 way"))
		other := b.operation("k")
		other.Request.Fingerprint = "another body"
		second, fresh, err := b.ledger.Claim(t.Context(), other, nothing)
		require.NoError(t, err)
		require.True(t, fresh)
		require.NotEqual(t, first.ID, second.ID)
	})
}

func TestAVoidOperationIsTakenUpAgainAsItStands(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		op, prepare := b.opening("k")
		first, _, err := b.ledger.Claim(t.Context(), op, prepare)
		require.NoError(t, err)
		require.NoError(t, b.ledger.Close(t.Context(), first.ID, desk.Void, "did not happen"))
		b.clock.pass(time.Hour)

		var mu sync.Mutex
		var taken []desk.Operation
		var wg sync.WaitGroup
		for range 20 {
			op, _ := b.opening("k")
			wg.Go(func() {
				got, fresh, err := b.ledger.Claim(background(), op, func(*desk.Operation) error { return errors.New("asked to prepare") })
				mu.Lock()
				defer mu.Unlock()
				if err == nil && fresh {
					taken = append(taken, got)
				} else if !ticket.Is(err, ticket.Busy) {
					t.Errorf("%v %v", fresh, err)
				}
			})
		}
		wg.Wait()
		require.Len(t, taken, 1)
		want := first
		want.Lease = b.clock.Now().Add(30 * time.Second).Truncate(time.Microsecond)
		want.CreatedAt = want.CreatedAt.Truncate(time.Microsecond)
		require.Equal(t, want, taken[0])
	})
}

func TestAVoidOperationLosesItsKeyToAnotherBody(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		first, _, err := b.ledger.Claim(t.Context(), b.operation("k"), nothing)
		require.NoError(t, err)
		require.NoError(t, b.ledger.Close(t.Context(), first.ID, desk.Void, "did not happen"))
		other := b.operation("k")
		other.Request.Fingerprint = "another body"
		second, fresh, err := b.ledger.Claim(t.Context(), other, nothing)
		require.NoError(t, err)
		require.True(t, fresh)
		require.Equal(t, other.ID, second.ID)

		// The first claimant was only slow: what it did is written down, and the key stays with the second.
		require.NoError(t, b.ledger.Finish(t.Context(), first, nil))
		_, _, err = b.ledger.Claim(t.Context(), b.operation("k"), nothing)
		require.True(t, ticket.Is(err, ticket.Reused))
		require.Equal(t, 1, b.count(`SELECT COUNT(*) FROM operations WHERE state = 'done'`))
	})
}

func TestLeases(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		first, _, err := b.ledger.Claim(t.Context(), b.operation("k"), nothing)
		require.NoError(t, err)
		second, _, err := b.ledger.Claim(t.Context(), b.operation("l"), nothing)
		require.NoError(t, err)
		until := func() time.Time { return b.clock.Now().Add(30 * time.Second) }

		expired, err := b.ledger.Expired(t.Context(), 10)
		require.NoError(t, err)
		require.Empty(t, expired)
		mine, err := b.ledger.Lease(t.Context(), first.ID, until())
		require.NoError(t, err)
		require.False(t, mine, "its claimant has it")

		b.clock.pass(10 * time.Second)
		require.NoError(t, b.ledger.Expire(t.Context(), second.ID))
		b.clock.pass(20 * time.Second)
		expired, err = b.ledger.Expired(t.Context(), 10)
		require.NoError(t, err)
		require.Equal(t, []string{second.ID, first.ID}, []string{expired[0].ID, expired[1].ID}, "oldest first")
		require.Equal(t, first.Command, expired[1].Command)
		require.Equal(t, first.Answer, expired[1].Answer)
		require.Equal(t, first.Ticket, expired[1].Ticket)
		expired, err = b.ledger.Expired(t.Context(), 1)
		require.NoError(t, err)
		require.Len(t, expired, 1)

		// A repetition finds it expired and is to settle it.
		got, fresh, err := b.ledger.Claim(t.Context(), b.operation("k"), nothing)
		require.NoError(t, err)
		require.False(t, fresh)
		require.Equal(t, desk.Running, got.State)
		require.Equal(t, first.ID, got.ID)

		taken := make(chan bool, 20)
		for range cap(taken) {
			go func() {
				mine, err := b.ledger.Lease(background(), first.ID, until())
				if err != nil {
					t.Error(err)
				}
				taken <- mine
			}()
		}
		wins := 0
		for range cap(taken) {
			if <-taken {
				wins++
			}
		}
		require.Equal(t, 1, wins)
		_, _, err = b.ledger.Claim(t.Context(), b.operation("k"), nothing)
		require.True(t, ticket.Is(err, ticket.Busy))

		require.NoError(t, b.ledger.Close(t.Context(), first.ID, desk.Void, "did not happen"))
		require.NoError(t, b.ledger.Close(t.Context(), first.ID, desk.Refused, "too late"))
		require.NoError(t, b.ledger.Expire(t.Context(), first.ID))
		mine, err = b.ledger.Lease(t.Context(), first.ID, until())
		require.NoError(t, err)
		require.False(t, mine, "it is no longer running")
		require.Equal(t, 1, b.count(`SELECT COUNT(*) FROM operations WHERE state = 'void' AND scope IS NOT NULL`))
	})
}

func TestRecordingIsOneTransactionAndReplayed(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s := b.opened("a", draft("x"))
		record := func(key string) (desk.Operation, bool, error) {
			op := b.operation(key)
			op.Kind, op.Answer = desk.KindTransact, desk.Answer{}
			return b.ledger.Transact(background(), op, func(ctx context.Context) (desk.Answer, error) {
				sub, err := b.Register(ctx, s.ticket, "https://example.com/"+op.ID)
				return desk.Answer{Status: 200, Body: json.RawMessage(marshal(sub.ID))}, err
			})
		}
		var mu sync.Mutex
		answers, ran := map[string]int{}, 0
		var wg sync.WaitGroup
		start := make(chan struct{})
		for range 20 {
			wg.Go(func() {
				<-start
				mu.Lock()
				op := b.operation("k")
				mu.Unlock()
				op.Kind, op.Answer = desk.KindTransact, desk.Answer{}
				got, fresh, err := b.ledger.Transact(background(), op, func(ctx context.Context) (desk.Answer, error) {
					sub, err := b.Register(ctx, s.ticket, "https://example.com/"+op.ID)
					return desk.Answer{Status: 201, Body: json.RawMessage(marshal(sub.ID))}, err
				})
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				answers[string(got.Answer.Body)+fmt.Sprint(got.Answer.Status)]++
				if fresh {
					ran++
				}
			})
		}
		close(start)
		wg.Wait()
		require.Len(t, answers, 1)
		require.Equal(t, 1, ran)
		subs, err := b.Registered(t.Context(), s.ticket.ID)
		require.NoError(t, err)
		require.Len(t, subs, 1)

		_, fresh, err := record("")
		require.NoError(t, err)
		require.True(t, fresh)
		_, fresh, err = record("")
		require.NoError(t, err)
		require.True(t, fresh, "without a key every request is new")

		failing := b.operation("failing")
		_, _, err = b.ledger.Transact(t.Context(), failing, func(ctx context.Context) (desk.Answer, error) {
			require.NoError(t, b.Unregister(ctx, s.ticket.ID, subs[0].ID))
			return desk.Answer{}, ticket.Refuse(ticket.NotFound, "no")
		})
		require.True(t, ticket.Is(err, ticket.NotFound))
		_, err = b.Registration(t.Context(), s.ticket.ID, subs[0].ID)
		require.NoError(t, err, "the effect went with the refusal")
		_, fresh, err = record("failing")
		require.NoError(t, err)
		require.True(t, fresh, "and so did the key")
	})
}

func TestPruningLeavesWhatIsRunningOrYoung(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		claim := func(key string) desk.Operation {
			op, _, err := b.ledger.Claim(t.Context(), b.operation(key), nothing)
			require.NoError(t, err)
			return op
		}
		var old []desk.Operation
		for i := range 4 {
			old = append(old, claim(fmt.Sprint(i)))
			if i > 0 {
				require.NoError(t, b.ledger.Finish(t.Context(), old[i], nil))
			}
			b.clock.pass(time.Minute)
		}
		b.clock.pass(24 * time.Hour)
		young := claim("young")
		require.NoError(t, b.ledger.Finish(t.Context(), young, nil))
		before := b.clock.Now().Add(-24 * time.Hour)
		n, err := b.PruneOperations(t.Context(), before, 2)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		n, err = b.PruneOperations(t.Context(), before, 100)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		require.Equal(t, 2, b.count(`SELECT COUNT(*) FROM operations WHERE content <> ''`))
		require.Equal(t, 3, b.count(`SELECT COUNT(*) FROM operations WHERE scope IS NULL AND fingerprint = '' AND content = '' AND body = ''`))
		n, err = b.PruneAudit(t.Context(), before, 2)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		n, err = b.PruneAudit(t.Context(), b.clock.Now(), 100)
		require.NoError(t, err)
		require.EqualValues(t, 1, n, "what is young has its answer still")
		require.Equal(t, 2, b.count(`SELECT COUNT(*) FROM operations`))
		_, fresh, err := b.ledger.Claim(t.Context(), b.operation("young"), nothing)
		require.NoError(t, err)
		require.False(t, fresh)
		expired, err := b.ledger.Expired(t.Context(), 10)
		require.NoError(t, err)
		require.Len(t, expired, 1)
		require.Equal(t, old[0].ID, expired[0].ID)
	})
}
