package desktest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/ticket"
)

// LedgerFixture is a ledger under test and the clock that it goes by.
type LedgerFixture struct {
	Ledger desk.Ledger
	Now    func() time.Time
	Pass   func(time.Duration) // moves the clock
}

// TestLedger holds a ledger against what desk.Ledger promises. Nobody else uses it meanwhile; each test has a tenant of its own in it.
func TestLedger(t *testing.T, under LedgerFixture) {
	for i, c := range []struct {
		name string
		test func(t *testing.T, b *ledgerBench)
	}{
		{"a key is claimed once", claimedOnce},
		{"what makes two requests the same", scopes},
		{"identities are reserved before the operation is prepared", identities},
		{"numbers are given once", numbers},
		{"a claim that is refused leaves nothing", refusedClaim},
		{"a done operation gives its answer again", doneAgain},
		{"a refused operation frees its key", refusedFrees},
		{"a void operation is taken up as it stands", voidAgain},
		{"a void operation loses its key to another body", voidLoses},
		{"a lease", leases},
		{"what expired is listed", expired},
		{"closing ends what runs and nothing else", closing},
		{"an effect and its answer are one", transacting},
		{"an effect that fails leaves nothing", transactingFails},
		{"of many effects under one key one stays", transactingAtOnce},
		{"finishing may be repeated and asks nobody", finishing},
		{"projecting may be repeated", projecting},
		{"a gap changes nothing", gaps},
		{"an event of a newer build is a gap", newerEvents},
		{"events of another ticket are not taken", foreignEvents},
		{"another event in the place of one is told of", otherEvents},
		{"a ticket in doubt takes nothing", inDoubt},
		{"projecting at once", projectingAtOnce},
		{"a ticket is found in its tenant", tickets},
		{"what happened", happened},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.test(t, &ledgerBench{T: t, LedgerFixture: under, tenant: fmt.Sprint("tenant-", i)})
		})
	}
}

type ledgerBench struct {
	*testing.T
	LedgerFixture
	tenant string
}

const lease = 30 * time.Second

// operation is one that handles a ticket, under a key ("": none).
func (b *ledgerBench) operation(key string) desk.Operation {
	now := b.Now().UTC().Truncate(time.Microsecond)
	return desk.Operation{
		ID: uuid.NewString(),
		Request: desk.Request{App: desk.App{Code: "demo", Tenant: b.tenant}, Channel: ticket.ChannelIssue, Key: key, Method: "POST", Path: "/api/issue?q=1",
			Fingerprint: "f", RequestID: "r"},
		Kind: desk.KindHandle, Ticket: ticket.Identity{ID: 1, Number: "IM1", UUID: "u", Tenant: b.tenant},
		Command: &ticket.Command{Action: ticket.Accept, Operator: "li"},
		Answer:  desk.Answer{Status: 201, Body: json.RawMessage(`{"key":"` + key + `"}`)},
		State:   desk.Running, CreatedAt: now, Lease: now.Add(lease),
	}
}

func unprepared(*desk.Operation) error { return nil }

// opening is one that opens a ticket, and what completes it.
func (b *ledgerBench) opening(key string, series ticket.Series) (desk.Operation, func(*desk.Operation) error) {
	op := b.operation(key)
	op.Kind, op.Series, op.Command, op.Answer = desk.KindOpen, series, nil, desk.Answer{}
	op.Ticket = ticket.Identity{UUID: uuid.NewString(), Tenant: b.tenant}
	return op, func(op *desk.Operation) (err error) {
		draft := ticket.Draft{Channel: ticket.ChannelIssue, App: "demo", Origin: "customs", Title: "x"}
		op.Opening, err = ticket.Open(draft, op.Ticket, op.ID, op.CreatedAt)
		op.Answer = desk.Answer{Status: 200, Body: json.RawMessage(asJSON(op.Ticket.Number))}
		return err
	}
}

// claim claims a handling that nobody else has.
func (b *ledgerBench) claim(key string) desk.Operation {
	b.Helper()
	op, fresh, err := b.Ledger.Claim(b.Context(), b.operation(key), unprepared)
	require.NoError(b, err)
	require.True(b, fresh)
	return op
}

// open claims an opening that nobody else has.
func (b *ledgerBench) open(key string) desk.Operation {
	b.Helper()
	op, prepare := b.opening(key, ticket.SeriesIM)
	op, fresh, err := b.Ledger.Claim(b.Context(), op, prepare)
	require.NoError(b, err)
	require.True(b, fresh)
	return op
}

// opened opens a ticket.
func (b *ledgerBench) opened() ticket.Ticket {
	b.Helper()
	op := b.open("")
	require.NoError(b, b.Ledger.Finish(b.Context(), op, op.Opening))
	return b.row(op.Ticket)
}

func (b *ledgerBench) row(id ticket.Identity) ticket.Ticket {
	b.Helper()
	t, err := b.Ledger.Ticket(b.Context(), id.Tenant, id.Number)
	require.NoError(b, err)
	return t
}

func (b *ledgerBench) refused(code ticket.Code, key, fingerprint string) {
	b.Helper()
	op := b.operation(key)
	op.Request.Fingerprint = fingerprint
	_, fresh, err := b.Ledger.Claim(b.Context(), op, unprepared)
	require.True(b, ticket.Is(err, code), "%v", err)
	require.False(b, fresh)
}

// equal compares what an operation does, is answered with, and how far it is. Times are kept to the microsecond.
func equal(t require.TestingT, want, got desk.Operation) {
	want.Lease, got.Lease = want.Lease.UTC().Truncate(time.Microsecond), got.Lease.UTC()
	for _, part := range [][2]any{{want.ID, got.ID}, {want.Request, got.Request}, {want.Kind, got.Kind}, {want.Series, got.Series}, {want.Ticket, got.Ticket},
		{want.State, got.State}, {want.CreatedAt, got.CreatedAt.UTC()}, {want.Lease, got.Lease}, {want.Answer.Status, got.Answer.Status},
		{string(want.Answer.Body), string(got.Answer.Body)}, {asJSON(want.Opening), asJSON(got.Opening)}, {asJSON(want.Command), asJSON(got.Command)}} {
		require.Equal(t, part[0], part[1])
	}
}

// atOnce runs something many times at once.
func atOnce(n int, f func(i int)) {
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { f(i) })
	}
	group.Wait()
}

func claimedOnce(t *testing.T, b *ledgerBench) {
	before := b.open("").Ticket.ID
	for _, kind := range []desk.Kind{desk.KindOpen, desk.KindHandle} {
		var mu sync.Mutex
		fresh, busy := 0, 0
		atOnce(20, func(int) {
			op, prepare := b.opening("key of "+string(kind), ticket.SeriesIM)
			if kind == desk.KindHandle {
				op, prepare = b.operation("key of "+string(kind)), unprepared
			}
			_, first, err := b.Ledger.Claim(context.Background(), op, prepare)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil && first:
				fresh++
			case ticket.Is(err, ticket.Busy) && !first:
				busy++
			default:
				t.Errorf("%v %v", first, err)
			}
		})
		require.Equal(t, 1, fresh)
		require.Equal(t, 19, busy)
	}
	require.Equal(t, before+2, b.open("").Ticket.ID, "who came too late draws no number")
}

func scopes(t *testing.T, b *ledgerBench) {
	b.claim("k")
	for _, change := range []func(*desk.Request){
		func(r *desk.Request) { r.App.Tenant = "another" },
		func(r *desk.Request) { r.App.Code = "other" },
		func(r *desk.Request) { r.Method = "PUT" },
		func(r *desk.Request) { r.Path = "/api/issue?q=2" },
		func(r *desk.Request) { r.Key = "l" },
		func(r *desk.Request) { r.Key = "" },
		func(r *desk.Request) { r.Key = "" },
	} {
		op := b.operation("k")
		change(&op.Request)
		_, fresh, err := b.Ledger.Claim(t.Context(), op, unprepared)
		require.NoError(t, err)
		require.True(t, fresh)
	}
	b.refused(ticket.Busy, "k", "f")
	b.refused(ticket.Reused, "k", "another body")
}

func identities(t *testing.T, b *ledgerBench) {
	op, prepare := b.opening("k", ticket.SeriesIM)
	wanted := op.Ticket
	var seen ticket.Identity
	claimed, fresh, err := b.Ledger.Claim(t.Context(), op, func(op *desk.Operation) error {
		seen = op.Ticket
		return prepare(op)
	})
	require.NoError(t, err)
	require.True(t, fresh)
	require.Equal(t, claimed.Ticket, seen)
	require.Positive(t, seen.ID)
	require.Equal(t, ticket.SeriesIM.Number(op.CreatedAt, seen.ID), seen.Number)
	require.Equal(t, wanted.UUID, seen.UUID)
	require.Equal(t, wanted.Tenant, seen.Tenant)
	require.NotEmpty(t, claimed.Opening)

	// A handling has its ticket already.
	handle := b.operation("l")
	got, _, err := b.Ledger.Claim(t.Context(), handle, func(op *desk.Operation) error {
		op.Command.Operation = op.ID
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, handle.Ticket, got.Ticket)
	require.Equal(t, got.ID, got.Command.Operation)
}

func numbers(t *testing.T, b *ledgerBench) {
	var mu sync.Mutex
	var ids []int64
	before := b.open("").Ticket.ID
	drawn := map[string]bool{}
	atOnce(20, func(i int) {
		op, prepare := b.opening("", []ticket.Series{ticket.SeriesIM, ticket.SeriesREQ}[i%2])
		claimed, fresh, err := b.Ledger.Claim(context.Background(), op, prepare)
		if err != nil || !fresh {
			t.Errorf("%v %v", fresh, err)
		}
		mu.Lock()
		defer mu.Unlock()
		ids, drawn[claimed.Ticket.Number] = append(ids, claimed.Ticket.ID), true
	})
	slices.Sort(ids)
	require.Len(t, drawn, 20)
	for i, id := range ids {
		require.Equal(t, before+int64(i)+1, id, "ids have no gap")
	}
	for i := range 10 {
		require.Contains(t, drawn, ticket.SeriesREQ.Number(b.Now(), int64(i+1)), "nor has a day's counter")
	}
	b.Pass(24 * time.Hour)
	op, prepare := b.opening("", ticket.SeriesREQ)
	op, _, err := b.Ledger.Claim(t.Context(), op, prepare)
	require.NoError(t, err)
	require.Equal(t, ticket.SeriesREQ.Number(op.CreatedAt, 1), op.Ticket.Number, "each day counts anew")
	require.Equal(t, before+21, op.Ticket.ID)
}

func refusedClaim(t *testing.T, b *ledgerBench) {
	before := b.open("").Ticket.ID
	op, prepare := b.opening("k", ticket.SeriesIM)
	why := errors.New("no")
	_, fresh, err := b.Ledger.Claim(t.Context(), op, func(*desk.Operation) error { return why })
	require.ErrorIs(t, err, why)
	require.False(t, fresh)
	claimed, fresh, err := b.Ledger.Claim(t.Context(), op, prepare)
	require.NoError(t, err)
	require.True(t, fresh, "the key is free")
	require.Equal(t, before+1, claimed.Ticket.ID, "and no number was used up")
}

func doneAgain(t *testing.T, b *ledgerBench) {
	first := b.open("k")
	require.NoError(t, b.Ledger.Finish(t.Context(), first, first.Opening))
	op, prepare := b.opening("k", ticket.SeriesIM)
	got, fresh, err := b.Ledger.Claim(t.Context(), op, prepare)
	require.NoError(t, err)
	require.False(t, fresh)
	first.State = desk.Done
	equal(t, first, got)
	require.Equal(t, first.Ticket, b.row(first.Ticket).Identity)
	b.Pass(24 * time.Hour)
	_, fresh, err = b.Ledger.Claim(t.Context(), op, prepare)
	require.NoError(t, err)
	require.False(t, fresh, "also when its lease is long over")
	b.refused(ticket.Reused, "k", "another body")
}

func refusedFrees(t *testing.T, b *ledgerBench) {
	first := b.claim("k")
	require.NoError(t, b.Ledger.Close(t.Context(), first.ID, desk.Refused, "no \x00 way"))
	other := b.operation("k")
	other.Request.Fingerprint = "another body"
	second, fresh, err := b.Ledger.Claim(t.Context(), other, unprepared)
	require.NoError(t, err)
	require.True(t, fresh)
	require.Equal(t, other.ID, second.ID)
}

func voidAgain(t *testing.T, b *ledgerBench) {
	first := b.open("k")
	require.NoError(t, b.Ledger.Close(t.Context(), first.ID, desk.Void, "did not happen"))
	b.Pass(time.Hour)
	until := b.Now().Add(lease)
	var mu sync.Mutex
	var taken []desk.Operation
	atOnce(10, func(int) {
		op, _ := b.opening("k", ticket.SeriesIM)
		got, fresh, err := b.Ledger.Claim(context.Background(), op, func(*desk.Operation) error { return errors.New("asked to prepare") })
		mu.Lock()
		defer mu.Unlock()
		if err == nil && fresh {
			taken = append(taken, got)
		} else if !ticket.Is(err, ticket.Busy) {
			t.Errorf("%v %v", fresh, err)
		}
	})
	require.Len(t, taken, 1)
	first.Lease = until
	equal(t, first, taken[0])
}

func voidLoses(t *testing.T, b *ledgerBench) {
	first := b.claim("k")
	require.NoError(t, b.Ledger.Close(t.Context(), first.ID, desk.Void, "did not happen"))
	other := b.operation("k")
	other.Request.Fingerprint = "another body"
	second, fresh, err := b.Ledger.Claim(t.Context(), other, unprepared)
	require.NoError(t, err)
	require.True(t, fresh)
	require.Equal(t, other.ID, second.ID)
	// The first claimant was only slow: what it did is written down, and the key stays with the second.
	require.NoError(t, b.Ledger.Finish(t.Context(), first, nil))
	b.refused(ticket.Reused, "k", "f")
	b.refused(ticket.Busy, "k", "another body")
}

func leases(t *testing.T, b *ledgerBench) {
	op := b.claim("k")
	until := func() time.Time { return b.Now().Add(lease) }
	mine, err := b.Ledger.Lease(t.Context(), op.ID, until())
	require.NoError(t, err)
	require.False(t, mine, "its claimant has it")
	b.Pass(lease)

	// A repetition finds it expired and is to settle it.
	got, fresh, err := b.Ledger.Claim(t.Context(), b.operation("k"), unprepared)
	require.NoError(t, err)
	require.False(t, fresh)
	equal(t, op, got)
	b.refused(ticket.Reused, "k", "another body")

	var mu sync.Mutex
	wins := 0
	atOnce(10, func(int) {
		mine, err := b.Ledger.Lease(context.Background(), op.ID, until())
		if err != nil {
			t.Error(err)
		}
		if mu.Lock(); mine {
			wins++
		}
		mu.Unlock()
	})
	require.Equal(t, 1, wins)
	b.refused(ticket.Busy, "k", "f")
	require.NoError(t, b.Ledger.Expire(t.Context(), op.ID, op.Lease))
	b.refused(ticket.Busy, "k", "f") // the lease of its first claimant is not that of whoever has it now
	require.NoError(t, b.Ledger.Expire(t.Context(), op.ID, until()))
	mine, err = b.Ledger.Lease(t.Context(), op.ID, until())
	require.NoError(t, err)
	require.True(t, mine, "it was given back before its time")
	mine, err = b.Ledger.Lease(t.Context(), "no such operation", until())
	require.NoError(t, err)
	require.False(t, mine)
}

func expired(t *testing.T, b *ledgerBench) {
	b.Pass(24 * time.Hour)
	left, err := b.Ledger.Expired(t.Context(), 1_000)
	require.NoError(t, err)
	for _, op := range left { // by other tests
		require.NoError(t, b.Ledger.Close(t.Context(), op.ID, desk.Refused, "no"))
	}
	first, second, done, refused := b.claim("k"), b.claim("l"), b.claim("m"), b.claim("n")
	list := func(limit int) (ids []string) {
		t.Helper()
		ops, err := b.Ledger.Expired(t.Context(), limit)
		require.NoError(t, err)
		for _, op := range ops {
			ids = append(ids, op.ID)
		}
		return ids
	}
	require.Empty(t, list(10))
	require.NoError(t, b.Ledger.Finish(t.Context(), done, nil))
	require.NoError(t, b.Ledger.Close(t.Context(), refused.ID, desk.Refused, "no"))
	b.Pass(10 * time.Second)
	require.NoError(t, b.Ledger.Expire(t.Context(), second.ID, second.Lease))
	b.Pass(lease - 10*time.Second)
	require.Equal(t, []string{second.ID, first.ID}, list(10), "oldest first, and only what runs")
	require.Equal(t, []string{second.ID}, list(1))
	ops, err := b.Ledger.Expired(t.Context(), 10)
	require.NoError(t, err)
	got := ops[1]
	got.Request = first.Request // the key itself and the query need not be kept
	equal(t, first, got)
	require.Equal(t, first.Request.Fingerprint, ops[1].Request.Fingerprint)
	require.Equal(t, first.Request.App.Tenant, ops[1].Request.App.Tenant)

	// One that could not be settled goes to the end of the queue.
	b.Pass(time.Second)
	until := b.Now().Add(lease)
	mine, err := b.Ledger.Lease(t.Context(), second.ID, until)
	require.NoError(t, err)
	require.True(t, mine)
	require.NoError(t, b.Ledger.Expire(t.Context(), second.ID, until))
	require.Equal(t, []string{first.ID, second.ID}, list(10))
}

func closing(t *testing.T, b *ledgerBench) {
	op := b.claim("k")
	require.NoError(t, b.Ledger.Close(t.Context(), op.ID, desk.Void, "did not happen"))
	require.NoError(t, b.Ledger.Close(t.Context(), op.ID, desk.Refused, "too late"))
	require.NoError(t, b.Ledger.Expire(t.Context(), op.ID, op.Lease))
	b.Pass(time.Hour)
	mine, err := b.Ledger.Lease(t.Context(), op.ID, b.Now().Add(lease))
	require.NoError(t, err)
	require.False(t, mine, "it is no longer running")
	never := func(*desk.Operation) error { return ticket.Refuse(ticket.Unavailable, "not now") }
	answered := b.claim("answered")
	require.NoError(t, b.Ledger.Finish(t.Context(), answered, nil))
	again, fresh, err := b.Ledger.Claim(t.Context(), b.operation("answered"), never)
	require.NoError(t, err, "what was done is told again, whatever keeps others from being prepared")
	require.Equal(t, []any{desk.Done, false}, []any{again.State, fresh})
	_, _, err = b.Ledger.Claim(t.Context(), b.operation("new"), never)
	require.True(t, ticket.Is(err, ticket.Unavailable), "%v", err)
	got, fresh, err := b.Ledger.Claim(t.Context(), b.operation("k"), unprepared)
	require.NoError(t, err)
	require.True(t, fresh)
	require.Equal(t, op.ID, got.ID, "it stayed void: its key was not freed")
	require.NoError(t, b.Ledger.Finish(t.Context(), op, nil))
	require.NoError(t, b.Ledger.Close(t.Context(), op.ID, desk.Refused, "too late"))
	got, fresh, err = b.Ledger.Claim(t.Context(), b.operation("k"), unprepared)
	require.NoError(t, err)
	require.False(t, fresh)
	require.Equal(t, desk.Done, got.State)
}

// transact runs an effect under a key.
func (b *ledgerBench) transact(key, fingerprint string, effect func(ctx context.Context) (desk.Answer, error)) (desk.Operation, bool, error) {
	op := b.operation(key)
	op.Kind, op.Command, op.Ticket, op.Answer, op.Request.Fingerprint = desk.KindTransact, nil, ticket.Identity{}, desk.Answer{}, fingerprint
	return b.Ledger.Transact(b.Context(), op, effect)
}

func transacting(t *testing.T, b *ledgerBench) {
	op := b.open("")
	times := 0
	effect := func(ctx context.Context) (desk.Answer, error) {
		times++
		return desk.Answer{Status: 201, Body: json.RawMessage(`{"secret":  "s"}`), Secret: true}, b.Ledger.Project(ctx, op.Ticket, op.Opening)
	}
	for i := range 3 {
		got, fresh, err := b.transact("k", "f", effect)
		require.NoError(t, err)
		require.Equal(t, i == 0, fresh)
		require.Equal(t, desk.Done, got.State)
		require.Equal(t, 201, got.Answer.Status)
		require.Equal(t, `{"secret":  "s"}`, string(got.Answer.Body), "to the byte")
		b.Pass(time.Hour)
	}
	require.Equal(t, 1, times)
	b.row(op.Ticket)
	_, _, err := b.transact("k", "another body", effect)
	require.True(t, ticket.Is(err, ticket.Reused), "%v", err)
	for range 2 {
		_, fresh, err := b.transact("", "f", effect)
		require.NoError(t, err)
		require.True(t, fresh, "without a key nothing is replayed")
	}
	b.claim("running")
	_, _, err = b.transact("running", "f", effect)
	require.True(t, ticket.Is(err, ticket.Busy), "%v", err)
}

func transactingFails(t *testing.T, b *ledgerBench) {
	op := b.open("")
	for _, why := range []error{ticket.Refuse(ticket.Conflict, "changed my mind"), errors.New("disk full")} {
		_, fresh, err := b.transact("k", "f", func(ctx context.Context) (desk.Answer, error) {
			require.NoError(t, b.Ledger.Project(ctx, op.Ticket, op.Opening))
			_, err := b.Ledger.Ticket(ctx, b.tenant, op.Ticket.Number)
			require.NoError(t, err, "the effect sees what it did")
			return desk.Answer{}, why
		})
		require.ErrorIs(t, err, why)
		require.False(t, fresh)
		_, err = b.Ledger.Ticket(t.Context(), b.tenant, op.Ticket.Number)
		require.True(t, ticket.Is(err, ticket.NotFound), "it was taken back: %v", err)
	}
	_, fresh, err := b.transact("k", "another body", func(context.Context) (desk.Answer, error) { return desk.Answer{Status: 200}, nil })
	require.NoError(t, err)
	require.True(t, fresh, "the key is free")
}

func transactingAtOnce(t *testing.T, b *ledgerBench) {
	var mu sync.Mutex
	answers, effects := map[string]int{}, 0
	atOnce(10, func(i int) {
		op := b.operation("k")
		op.Kind, op.Command = desk.KindTransact, nil
		got, fresh, err := b.Ledger.Transact(context.Background(), op, func(context.Context) (desk.Answer, error) {
			return desk.Answer{Status: 200, Body: json.RawMessage(fmt.Sprint(i))}, nil
		})
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		answers[string(got.Answer.Body)]++
		if fresh {
			effects++
		}
	})
	require.Equal(t, 1, effects)
	require.Len(t, answers, 1, "all hear the one answer")
}

// decide gives what a command does to a ticket.
func decide(t require.TestingT, on ticket.Ticket, c ticket.Command) []ticket.Event {
	events, err := ticket.Decide(on, c, on.UpdatedAt.Add(time.Second))
	require.NoError(t, err)
	return events
}

func finishing(t *testing.T, b *ledgerBench) {
	op := b.open("k")
	b.Pass(time.Hour) // its lease is long over
	require.NoError(t, b.Ledger.Close(t.Context(), op.ID, desk.Void, "was thought not to have happened"))
	for range 2 {
		require.NoError(t, b.Ledger.Finish(t.Context(), op, op.Opening))
	}
	require.EqualValues(t, 1, b.row(op.Ticket).Seq)
	again, prepare := b.opening("k", ticket.SeriesIM)
	got, fresh, err := b.Ledger.Claim(t.Context(), again, prepare)
	require.NoError(t, err)
	require.False(t, fresh)
	require.Equal(t, desk.Done, got.State)
	require.Equal(t, op.ID, got.ID)

	// One that found everything as it wants it.
	idle := b.claim("idle")
	require.NoError(t, b.Ledger.Finish(t.Context(), idle, nil))
	got, _, err = b.Ledger.Claim(t.Context(), b.operation("idle"), unprepared)
	require.NoError(t, err)
	require.Equal(t, desk.Done, got.State)
}

func projecting(t *testing.T, b *ledgerBench) {
	row := b.opened()
	events := decide(t, row, command(ticket.Accept))
	for range 4 {
		events = append(events, decide(t, ticket.Fold(row, events), say("hello"))...)
	}
	for _, part := range [][]ticket.Event{events[:2], events[:1], events[1:4], events, nil, events} {
		require.NoError(t, b.Ledger.Project(t.Context(), row.Identity, part))
	}
	require.Equal(t, asJSON(ticket.Fold(row, events)), asJSON(b.row(row.Identity)), "the row is the fold of its events")
}

func gaps(t *testing.T, b *ledgerBench) {
	op := b.open("")
	accepted := decide(t, ticket.Fold(ticket.Ticket{}, op.Opening), command(ticket.Accept))
	require.ErrorIs(t, b.Ledger.Project(t.Context(), op.Ticket, accepted), desk.ErrGap)
	_, err := b.Ledger.Ticket(t.Context(), b.tenant, op.Ticket.Number)
	require.True(t, ticket.Is(err, ticket.NotFound), "%v", err)

	require.NoError(t, b.Ledger.Project(t.Context(), op.Ticket, op.Opening))
	row := b.row(op.Ticket)
	said := decide(t, ticket.Fold(row, accepted), say("hello"))
	more := decide(t, ticket.Fold(row, slices.Concat(accepted, said)), say("hello again"))
	require.ErrorIs(t, b.Ledger.Project(t.Context(), op.Ticket, slices.Concat(accepted, more)), desk.ErrGap, "2, then 4")
	require.Equal(t, asJSON(row), asJSON(b.row(op.Ticket)))

	handle := b.claim("k")
	handle.Ticket = op.Ticket
	require.ErrorIs(t, b.Ledger.Finish(t.Context(), handle, said), desk.ErrGap)
	b.refused(ticket.Busy, "k", "f") // it is not done
	require.NoError(t, b.Ledger.Project(t.Context(), op.Ticket, accepted))
	require.NoError(t, b.Ledger.Finish(t.Context(), handle, said))
	require.Equal(t, asJSON(ticket.Fold(row, slices.Concat(accepted, said))), asJSON(b.row(op.Ticket)))
}

func newerEvents(t *testing.T, b *ledgerBench) {
	row := b.opened()
	accepted := decide(t, row, command(ticket.Accept))
	newer := clone(accepted)
	newer[0].Type = "telepathy"
	require.ErrorIs(t, b.Ledger.Project(t.Context(), row.Identity, newer), desk.ErrGap)
	require.Equal(t, asJSON(row), asJSON(b.row(row.Identity)))
	require.NoError(t, b.Ledger.Project(t.Context(), row.Identity, accepted))
}

func otherEvents(t *testing.T, b *ledgerBench) {
	row := b.opened()
	first := decide(t, row, say("hello"))
	after := ticket.Fold(row, first)
	edit := command(ticket.Revise)
	edit.Message = &ticket.Message{ID: first[0].After.Message.ID, Author: "li", Content: "hello again"}
	revised := decide(t, after, edit)
	stored := slices.Concat(first, revised)
	require.NoError(t, b.Ledger.Project(t.Context(), row.Identity, stored))
	require.NoError(t, b.Ledger.Project(t.Context(), row.Identity, stored), "what the read model adds to an event makes it no other one")

	for name, change := range map[string]func(e *ticket.Event){
		"operation": func(e *ticket.Event) { e.Operation = "another" },
		"time":      func(e *ticket.Event) { e.At = e.At.Add(time.Microsecond) },
		"content": func(e *ticket.Event) {
			e.After.Message = &ticket.Message{ID: "m", Author: "li", Content: "something else"}
		},
		"type": func(e *ticket.Event) { e.Type = ticket.Revised },
	} {
		other := first[0]
		change(&other)
		more := decide(t, ticket.Fold(after, revised), say("more"))
		for _, events := range [][]ticket.Event{{other}, {other, revised[0]}, {other, revised[0], more[0]}} {
			require.ErrorIs(t, b.Ledger.Project(t.Context(), row.Identity, events), desk.ErrDiverged, name)
		}
		key := "key of " + name
		op := b.claim(key)
		op.Ticket = row.Identity
		require.ErrorIs(t, b.Ledger.Finish(t.Context(), op, []ticket.Event{other}), desk.ErrDiverged, name)
		b.refused(ticket.Busy, key, "f") // it is not done
	}
	require.Equal(t, asJSON(ticket.Fold(row, stored)), asJSON(b.row(row.Identity)))
}

func inDoubt(t *testing.T, b *ledgerBench) {
	row, well := b.opened(), b.opened()
	events := decide(t, row, say("hello"))
	require.NoError(t, b.Ledger.Doubt(t.Context(), row.Identity, "one of the two forgot"))
	require.NoError(t, b.Ledger.Doubt(t.Context(), row.Identity, "again"))
	unknown := row.Identity
	unknown.ID, unknown.Number = row.ID+1_000_000, "IM0"
	require.NoError(t, b.Ledger.Doubt(t.Context(), unknown, "there is none"))
	stays, err := b.Ledger.Ticket(t.Context(), b.tenant, row.Number)
	require.ErrorIs(t, err, desk.ErrInDoubt)
	require.Equal(t, asJSON(row), asJSON(stays), "it can be read all the same")
	require.ErrorIs(t, b.Ledger.Project(t.Context(), row.Identity, events), desk.ErrInDoubt)
	op := b.claim("k")
	op.Ticket = row.Identity
	require.ErrorIs(t, b.Ledger.Finish(t.Context(), op, events), desk.ErrInDoubt)
	b.refused(ticket.Busy, "k", "f") // it is not done
	require.NoError(t, b.Ledger.Project(t.Context(), well.Identity, decide(t, well, say("hello"))))
}

func foreignEvents(t *testing.T, b *ledgerBench) {
	mine, other := b.open(""), b.open("")
	require.Error(t, b.Ledger.Project(t.Context(), mine.Ticket, other.Opening))
	for _, id := range []ticket.Identity{mine.Ticket, other.Ticket} {
		_, err := b.Ledger.Ticket(t.Context(), b.tenant, id.Number)
		require.True(t, ticket.Is(err, ticket.NotFound), "%v", err)
	}
}

func projectingAtOnce(t *testing.T, b *ledgerBench) {
	op := b.open("")
	events := op.Opening
	for range 5 {
		events = append(events, decide(t, ticket.Fold(ticket.Ticket{}, events), say("hello"))...)
	}
	atOnce(12, func(i int) { // some see the whole story, some only its beginning
		if err := b.Ledger.Project(context.Background(), op.Ticket, events[:1+i%len(events)]); err != nil {
			t.Error(err)
		}
	})
	require.Equal(t, asJSON(ticket.Fold(ticket.Ticket{}, events)), asJSON(b.row(op.Ticket)))
}

func tickets(t *testing.T, b *ledgerBench) {
	row := b.opened()
	for _, key := range []string{row.Number, row.UUID} {
		got, err := b.Ledger.Ticket(t.Context(), b.tenant, key)
		require.NoError(t, err)
		require.Equal(t, asJSON(row), asJSON(got))
		_, err = b.Ledger.Ticket(t.Context(), "another", key)
		require.True(t, ticket.Is(err, ticket.NotFound), "another tenant's ticket does not exist: %v", err)
	}
	for _, key := range []string{"", "IM1", uuid.NewString()} {
		_, err := b.Ledger.Ticket(t.Context(), b.tenant, key)
		require.True(t, ticket.Is(err, ticket.NotFound), "%v", err)
	}
}

func happened(t *testing.T, b *ledgerBench) {
	row := b.opened()
	is := func(id string) bool {
		t.Helper()
		yes, err := b.Ledger.Happened(t.Context(), id)
		require.NoError(t, err)
		return yes
	}
	c := command(ticket.Accept)
	require.False(t, is(c.Operation))
	require.NoError(t, b.Ledger.Project(t.Context(), row.Identity, decide(t, row, c)))
	require.True(t, is(c.Operation))
	require.False(t, is(uuid.NewString()))
	require.False(t, is(""))
}
