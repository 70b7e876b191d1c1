package outboxtest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/activities"
	"signalbox/notice"
)

// Fixture is an outbox under test, and what enqueues something in it.
type Fixture struct {
	Outbox activities.Outbox
	Now    func() time.Time
	Pass   func(time.Duration) // moves the clock
	// Ticket makes a ticket that has no deliveries, and gives its id and the partition of those it will have.
	Ticket func(t *testing.T) (id int64, partition int)
	// Address has an address told of what happens to a ticket.
	Address func(t *testing.T, ticket int64, url string) notice.Lane
	// Happen has something happen to a ticket that its addresses are to be told of, because of what came so many hops.
	Happen func(t *testing.T, ticket int64, hops int)
	// Delete deletes an address.
	Delete func(t *testing.T, lane notice.Lane)
	// Deliveries gives all deliveries that an address ever had, oldest first.
	Deliveries func(t *testing.T, lane notice.Lane) []notice.DeliveryRecord
	// Subscription gives an address as it is now.
	Subscription func(t *testing.T, lane notice.Lane) notice.Subscription
	// Alerts gives what the timeline of a ticket was told, oldest first.
	Alerts func(t *testing.T, ticket int64) []notice.AlertKind
	// Redeliver begins a redelivery to an address.
	Redeliver func(t *testing.T, lane notice.Lane) string
}

// TestOutbox holds an outbox against what activities.Outbox promises. open makes an empty one.
func TestOutbox(t *testing.T, open func(t *testing.T) Fixture) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, b *bench)
	}{
		{"what is pending is listed in order", inOrder},
		{"busy lanes and hosts are passed by", passedBy},
		{"hops are kept", hopsKept},
		{"a try is written down once", writtenOnce},
		{"a try at what is gone keeps no other from being written down", gone},
		{"a try that begins is told from one that does not", begins},
		{"a failed try parks its lane", parks},
		{"a lane goes on when something is given up", goesOn},
		{"what was put off counts as no try", putOff},
		{"a dropped address holds the rest", drops},
		{"a deleted address is sent nothing more", cancelled},
		{"since when an address fails", failingSince},
		{"retrying lanes are listed in pieces", pieces},
		{"results are told of", alerts},
		{"many workers write the same tries down", manyWorkers},
		{"who waits is woken", notifies},
		{"redeliveries are listed until they are over", redeliveries},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, &bench{T: t, Fixture: open(t)}) })
	}
}

type bench struct {
	*testing.T
	Fixture
}

// lane makes a ticket with one address, to which so much happened.
func (b *bench) lane(events int) (lane notice.Lane, partition int) {
	b.Helper()
	id, partition := b.Ticket(b.T)
	lane = b.Address(b.T, id, "https://example.com/hook")
	b.happen(id, events)
	return lane, partition
}

func (b *bench) happen(ticket int64, n int) {
	b.Helper()
	for range n {
		b.Pass(time.Second)
		b.Happen(b.T, ticket, 0)
	}
}

func (b *bench) heads(partition int, busy []notice.Lane, limit int, hosts ...string) []notice.Work {
	b.Helper()
	works, err := b.Outbox.Pending(b.Context(), partition, busy, limit, hosts...)
	require.NoError(b, err)
	return works
}

// pending is what is pending in the lanes of which the outbox lists the next: first these, then the others of each.
func (b *bench) pending(partition int, busy []notice.Lane, limit int, hosts ...string) []notice.Work {
	b.Helper()
	works := b.heads(partition, busy, limit, hosts...)
	for _, w := range slices.Clone(works) {
		for _, r := range b.Deliveries(b.T, w.Delivery.Lane) {
			if r.State == notice.Pending && r.ID != w.Delivery.ID {
				works = append(works, notice.Work{Delivery: r.Delivery, Subscription: w.Subscription})
			}
		}
	}
	return works
}

func (b *bench) next(lane notice.Lane) (notice.Work, bool) {
	b.Helper()
	w, more, err := b.Outbox.Next(b.Context(), lane)
	require.NoError(b, err)
	return w, more
}

func (b *bench) retrying() []notice.Lane {
	b.Helper()
	lanes, err := b.Outbox.Retrying(b.Context(), notice.Lane{}, 100)
	require.NoError(b, err)
	return lanes
}

func (b *bench) save(results ...notice.Result) {
	b.Helper()
	require.NoError(b, b.Outbox.SaveResults(b.Context(), results))
}

// tried is a try at a delivery now.
func (b *bench) tried(w notice.Work, then notice.DeliveryState) notice.Result {
	start := b.Now()
	b.Pass(time.Millisecond)
	r := notice.Result{Work: w, Then: then, Attempt: notice.Attempt{DeliveryID: w.Delivery.ID, StartedAt: start, FinishedAt: b.Now(), Status: 200,
		Answer: []byte("ok"), Succeeded: then == notice.Sent}}
	if then != notice.Sent {
		r.Attempt.Status, r.Attempt.Class, r.Attempt.Error, r.Attempt.Answer = 500, notice.ErrorStatus, "500", nil
	}
	if then == notice.Retrying {
		next := b.Now().Add(time.Minute)
		r.NextTry = &next
	}
	return r
}

func (b *bench) states(lane notice.Lane) (list []notice.DeliveryState) {
	b.Helper()
	for _, d := range b.Deliveries(b.T, lane) {
		list = append(list, d.State)
	}
	return list
}

func seqs(works []notice.Work) (list []int64) {
	for _, w := range works {
		list = append(list, w.Delivery.Seq)
	}
	return list
}

func lanesOf(works []notice.Work) (list []notice.Lane) {
	for _, w := range works {
		list = append(list, w.Delivery.Lane)
	}
	return list
}

// sameTime compares times that are kept to the microsecond.
func sameTime(t require.TestingT, want time.Time, got *time.Time, says ...any) {
	require.NotNil(t, got, says...)
	require.Equal(t, want.UTC().Truncate(time.Microsecond), got.UTC().Truncate(time.Microsecond), says...)
}

func inOrder(t *testing.T, b *bench) {
	id, part := b.Ticket(t)
	parts, err := b.Outbox.Partitions(t.Context())
	require.NoError(t, err)
	require.Empty(t, parts)
	first := b.Address(t, id, "https://example.com/1")
	b.happen(id, 2)
	second := b.Address(t, id, "https://example.com/2")
	b.happen(id, 2)
	works := b.pending(part, nil, 100)
	require.Len(t, works, 6)
	require.Equal(t, []notice.Lane{first, second}, lanesOf(b.heads(part, nil, 100)), "of each lane the next, in the order in which it happened")
	for _, lane := range []notice.Lane{first, second} {
		var mine []notice.Work
		for _, w := range works {
			if w.Delivery.Lane == lane {
				mine = append(mine, w)
			}
		}
		require.True(t, slices.IsSorted(seqs(mine)))
		require.Equal(t, lane.Subscription, mine[0].Subscription.ID)
	}
	w := works[0]
	require.Equal(t, "https://example.com/1", w.Subscription.URL)
	require.Equal(t, notice.Minutely, w.Subscription.Profile)
	require.Equal(t, notice.Active, w.Subscription.State)
	require.Equal(t, notice.Pending, w.Delivery.State)
	require.NotEmpty(t, w.Delivery.Body)
	require.Zero(t, w.Delivery.Tries)
	require.Empty(t, w.Unsendable)
	require.Equal(t, works[:1], b.heads(part, nil, 1))
	require.Empty(t, b.pending(part+1, nil, 100))
	if parts, err = b.Outbox.Partitions(t.Context()); true {
		require.NoError(t, err)
		require.Equal(t, []int{part}, parts)
	}
}

func passedBy(t *testing.T, b *bench) {
	id, part := b.Ticket(t)
	first := b.Address(t, id, "HTTPS://Example.com:443?1")
	second := b.Address(t, id, "https://example.com.invalid/2")
	third := b.Address(t, id, "https://other.example:8443/3")
	b.happen(id, 4)
	busy := []notice.Lane{{Subscription: "nobody", TicketID: 7}, first}
	for _, lane := range lanesOf(b.pending(part, busy, 100)) {
		require.NotEqual(t, first, lane)
	}
	require.Len(t, b.pending(part, busy, 100), 8)
	require.Equal(t, []notice.Lane{second}, lanesOf(b.heads(part, []notice.Lane{first, third}, 1)), "the limit counts what is left")
	require.Len(t, b.pending(part, []notice.Lane{first, second, third}, 100), 0)
	works := b.pending(part, nil, 100, "example.com", "other.example")
	require.NotContains(t, lanesOf(works), first)
	require.Contains(t, lanesOf(works), second, "a host is not what begins like it")
	require.Contains(t, lanesOf(works), third, "nor is another port")
	require.Len(t, b.pending(part, []notice.Lane{second}, 100, "example.com", "other.example:8443"), 0)
	require.Equal(t, "https://example.com/?1", b.Subscription(t, first).URL, "in its one spelling")
	require.Equal(t, "example.com", b.Subscription(t, first).Host)
	for _, w := range works {
		require.Equal(t, b.Subscription(t, w.Delivery.Lane).Host, w.Subscription.Host)
	}
}

func hopsKept(t *testing.T, b *bench) {
	id, part := b.Ticket(t)
	lane := b.Address(t, id, "https://example.com/1")
	for _, hops := range []int{0, 3, 8} {
		b.Pass(time.Second)
		b.Happen(t, id, hops)
	}
	hopsOf := func(works []notice.Work) (list []int) {
		for _, w := range works {
			list = append(list, w.Delivery.Hops)
		}
		return list
	}
	works := b.pending(part, nil, 100)
	require.Equal(t, []int{0, 3, 8}, hopsOf(works))
	b.save(b.tried(works[0], notice.Sent), b.tried(works[1], notice.Retrying))
	w, _ := b.next(lane)
	require.Equal(t, 3, w.Delivery.Hops)
	for n, d := range b.Deliveries(t, lane) {
		require.Equal(t, []int{0, 3, 8}[n], d.Hops)
	}
}

func writtenOnce(t *testing.T, b *bench) {
	lane, part := b.lane(2)
	works := b.pending(part, nil, 100)
	first := b.tried(works[0], notice.Sent)
	b.save(first)
	b.save(first) // its answer was lost
	b.save(first, first)
	b.save()
	require.Equal(t, seqs(works[1:]), seqs(b.pending(part, nil, 100)))
	d := b.Deliveries(t, lane)[0]
	require.Equal(t, notice.Sent, d.State)
	require.Equal(t, 1, d.Tries)
	sameTime(t, first.Attempt.StartedAt, d.FirstTry)
	sameTime(t, first.Attempt.FinishedAt, d.EndedAt)
	require.Len(t, d.Attempts, 1)
	a := d.Attempts[0]
	require.Equal(t, []any{1, 200, notice.ErrorNone, "", "ok", true}, []any{a.N, a.Status, a.Class, a.Error, string(a.Answer), a.Succeeded})
	b.save(b.tried(works[1], notice.Sent))
	require.Empty(t, b.pending(part, nil, 100))
	require.Equal(t, []notice.DeliveryState{notice.Sent, notice.Sent}, b.states(lane))
	parts, err := b.Outbox.Partitions(t.Context())
	require.NoError(t, err)
	require.Empty(t, parts)
}

func gone(t *testing.T, b *bench) {
	lane, part := b.lane(2)
	works := b.pending(part, nil, 100)
	ghost := works[1]
	ghost.Delivery.ID = "msg_of_nothing"
	failed, put := b.tried(ghost, notice.Failed), b.tried(ghost, notice.Retrying)
	failed.Drop, failed.BreakerOpened, put.PutOff = "gone", true, true
	b.save(failed, b.tried(works[0], notice.Sent), put)
	require.Equal(t, []notice.DeliveryState{notice.Sent, notice.Pending}, b.states(lane))
	require.Empty(t, b.Alerts(t, lane.TicketID))
	require.Equal(t, notice.Active, b.Subscription(t, lane).State)
	b.save(failed)
}

func parks(t *testing.T, b *bench) {
	id, part := b.Ticket(t)
	lane, other := b.Address(t, id, "https://example.com/1"), b.Address(t, id, "https://example.com/2")
	b.happen(id, 2)
	works := b.pending(part, []notice.Lane{other}, 100)
	failed := b.tried(works[0], notice.Retrying)
	b.save(failed)
	require.Equal(t, []notice.Lane{other, other}, lanesOf(b.pending(part, nil, 100)), "the whole lane, and no other")
	require.Equal(t, []notice.Lane{lane}, b.retrying())
	b.happen(id, 1)
	require.Equal(t, []notice.DeliveryState{notice.Retrying, notice.Retrying, notice.Retrying}, b.states(lane), "what comes is born retrying")
	for i := range 3 {
		w, more := b.next(lane)
		require.True(t, more)
		require.Equal(t, lane, w.Delivery.Lane)
		if i == 0 {
			require.Equal(t, works[0].Delivery.ID, w.Delivery.ID, "it is tried again before those that follow it")
			require.Equal(t, 1, w.Delivery.Tries)
			sameTime(t, failed.Attempt.StartedAt, w.Delivery.FirstTry)
			sameTime(t, *failed.NextTry, w.Delivery.NextTry)
			b.save(b.tried(w, notice.Retrying))
			again, _ := b.next(lane)
			require.Equal(t, w.Delivery.ID, again.Delivery.ID)
			require.Equal(t, 2, again.Delivery.Tries)
			sameTime(t, failed.Attempt.StartedAt, again.Delivery.FirstTry, "the round goes on")
			w = again
		}
		b.save(b.tried(w, notice.Sent))
	}
	require.Equal(t, []notice.Lane{lane}, b.retrying(), "until Next finds it empty")
	_, more := b.next(lane)
	require.False(t, more)
	require.Empty(t, b.retrying())
	b.happen(id, 1)
	require.Len(t, b.pending(part, []notice.Lane{other}, 100), 1)
	_, more = b.next(lane)
	require.False(t, more, "a lane that is not retrying has nothing for its workflow")
	require.Len(t, b.pending(part, []notice.Lane{other}, 100), 1)
}

func goesOn(t *testing.T, b *bench) {
	lane, part := b.lane(3)
	b.save(b.tried(b.pending(part, nil, 1)[0], notice.Failed))
	require.Len(t, b.pending(part, nil, 100), 2, "one that was given up at once parks nothing")
	require.Empty(t, b.retrying())
	b.save(b.tried(b.pending(part, nil, 1)[0], notice.Retrying))
	w, _ := b.next(lane)
	b.save(b.tried(w, notice.Failed))
	last, more := b.next(lane)
	require.True(t, more)
	require.Greater(t, last.Delivery.Seq, w.Delivery.Seq)
	require.Equal(t, []notice.DeliveryState{notice.Failed, notice.Failed, notice.Retrying}, b.states(lane))
	require.Equal(t, notice.Active, b.Subscription(t, lane).State)
}

func putOff(t *testing.T, b *bench) {
	lane, part := b.lane(2)
	until := b.Now().Add(time.Hour)
	r := notice.Result{Work: b.pending(part, nil, 1)[0], Then: notice.Retrying, NextTry: &until, PutOff: true,
		Attempt: notice.Attempt{StartedAt: b.Now()}}
	r.Attempt.DeliveryID = r.Work.Delivery.ID
	b.save(r)
	require.Equal(t, []notice.Lane{lane}, b.retrying())
	require.Empty(t, b.pending(part, nil, 100))
	w, more := b.next(lane)
	require.True(t, more)
	require.Equal(t, r.Work.Delivery.ID, w.Delivery.ID)
	require.Zero(t, w.Delivery.Tries)
	sameTime(t, r.Attempt.StartedAt, w.Delivery.FirstTry, "the round is counted from here")
	sameTime(t, until, w.Delivery.NextTry)
	require.Nil(t, b.Subscription(t, lane).FailingSince, "it says nothing of the address")
	require.Empty(t, b.Deliveries(t, lane)[0].Attempts)
	b.save(b.tried(w, notice.Sent))
	require.Equal(t, 1, b.Deliveries(t, lane)[0].Tries)
	sameTime(t, r.Attempt.StartedAt, b.Deliveries(t, lane)[0].FirstTry)
}

func drops(t *testing.T, b *bench) {
	lane, part := b.lane(3)
	b.save(b.tried(b.pending(part, nil, 1)[0], notice.Retrying))
	w, _ := b.next(lane)
	last := b.tried(w, notice.Failed)
	last.Drop = "failed 11 times"
	b.save(last)
	sub := b.Subscription(t, lane)
	require.Equal(t, notice.Dropped, sub.State)
	require.Equal(t, "failed 11 times", sub.Reason)
	sameTime(t, last.Attempt.FinishedAt, sub.EndedAt)
	_, more := b.next(lane)
	require.False(t, more)
	require.Equal(t, []notice.DeliveryState{notice.Failed, notice.Held, notice.Held}, b.states(lane))
	b.happen(lane.TicketID, 1)
	require.Equal(t, notice.Held, b.states(lane)[3], "what comes is kept")
	require.Empty(t, b.pending(part, nil, 100), "and not sent")

	// Tries that were under way: one did arrive, the other failed.
	held := b.Deliveries(t, lane)
	b.save(b.tried(notice.Work{Delivery: held[1].Delivery, Subscription: sub}, notice.Sent),
		b.tried(notice.Work{Delivery: held[2].Delivery, Subscription: sub}, notice.Retrying))
	require.Equal(t, []notice.DeliveryState{notice.Failed, notice.Sent, notice.Held, notice.Held}, b.states(lane))
	require.Empty(t, b.retrying())
}

func cancelled(t *testing.T, b *bench) {
	lane, part := b.lane(2)
	flying := b.pending(part, nil, 1)[0]
	b.Delete(t, lane)
	require.Empty(t, b.pending(part, nil, 100))
	failed := b.tried(flying, notice.Failed)
	failed.Drop = "failed"
	b.save(b.tried(flying, notice.Sent), b.tried(flying, notice.Retrying), failed)
	require.Equal(t, []notice.DeliveryState{notice.Cancelled, notice.Cancelled}, b.states(lane))
	require.Len(t, b.Deliveries(t, lane)[0].Attempts, 3, "the tries were made all the same")
	require.Empty(t, b.retrying())
	b.happen(lane.TicketID, 1)
	require.Len(t, b.Deliveries(t, lane), 2, "it gets nothing more")
	_, more := b.next(lane)
	require.False(t, more)
}

func begins(t *testing.T, b *bench) {
	lane, part := b.lane(2)
	w := b.pending(part, nil, 1)[0]
	require.Nil(t, w.Delivery.FirstTry)
	began := b.Now()
	begun, err := b.Outbox.Begin(t.Context(), w.Delivery.ID, began)
	require.NoError(t, err)
	require.True(t, begun)
	works := b.pending(part, nil, 10)
	require.Len(t, works, 2, "it is pending all the same")
	sameTime(t, began, works[0].Delivery.FirstTry)
	require.Nil(t, works[1].Delivery.FirstTry)
	require.Zero(t, works[0].Delivery.Tries)

	lost := b.tried(works[0], notice.Retrying)
	lost.Attempt = notice.Lost(w.Delivery.ID, *works[0].Delivery.FirstTry, b.Now())
	b.save(lost, lost)
	begun, err = b.Outbox.Begin(t.Context(), w.Delivery.ID, b.Now())
	require.NoError(t, err)
	require.False(t, begun, "its lane's workflow goes on with it")
	w, _ = b.next(lane)
	require.Equal(t, 1, w.Delivery.Tries)
	sameTime(t, began, w.Delivery.FirstTry)
	require.Nil(t, w.Subscription.FailingSince, "that says nothing of the address")
	begun, err = b.Outbox.Begin(t.Context(), "nobody", b.Now())
	require.NoError(t, err)
	require.False(t, begun)
}

func failingSince(t *testing.T, b *bench) {
	lane, part := b.lane(2)
	first := b.tried(b.pending(part, nil, 1)[0], notice.Retrying)
	b.save(first)
	b.Pass(time.Minute)
	w, _ := b.next(lane)
	sameTime(t, first.Attempt.StartedAt, w.Subscription.FailingSince)
	unsendable := b.tried(w, notice.Retrying)
	b.save(unsendable)
	w, _ = b.next(lane)
	sameTime(t, first.Attempt.StartedAt, w.Subscription.FailingSince, "the first of them")
	b.save(b.tried(w, notice.Sent))
	w, _ = b.next(lane)
	require.Nil(t, w.Subscription.FailingSince, "one arrived")
	ours := b.tried(w, notice.Retrying)
	ours.Attempt.Class = notice.ErrorUnsendable
	b.save(ours)
	w, _ = b.next(lane)
	require.Nil(t, w.Subscription.FailingSince, "our own fault says nothing of the address")
}

func pieces(t *testing.T, b *bench) {
	var want []notice.Lane
	for i := range 7 {
		id, part := b.Ticket(t)
		lane := b.Address(t, id, fmt.Sprint("https://example.com/", i))
		b.happen(id, 1)
		for _, w := range b.pending(part, nil, 1) {
			b.save(b.tried(w, notice.Retrying))
		}
		want = append(want, lane)
	}
	var got []notice.Lane
	for after := (notice.Lane{}); ; {
		lanes, err := b.Outbox.Retrying(t.Context(), after, 3)
		require.NoError(t, err)
		require.LessOrEqual(t, len(lanes), 3)
		if len(lanes) == 0 {
			break
		}
		got = append(got, lanes...)
		after = lanes[len(lanes)-1]
	}
	require.ElementsMatch(t, want, got, "each once")
	require.Equal(t, got, b.retrying(), "in a stable order")
}

func alerts(t *testing.T, b *bench) {
	lane, part := b.lane(3)
	works := b.pending(part, nil, 100)
	b.save(b.tried(works[0], notice.Sent))
	require.Empty(t, b.Alerts(t, lane.TicketID))
	failed := b.tried(works[1], notice.Failed)
	failed.Drop = "failed 11 times"
	b.save(failed)
	want := []notice.AlertKind{notice.DeliveryFailed, notice.AddressDropped}
	require.Equal(t, want, b.Alerts(t, lane.TicketID))
	b.save(failed)
	late := b.tried(works[2], notice.Failed) // it is held, and its address dropped already
	late.Drop = "failed 11 times"
	b.save(late)
	require.Equal(t, want, b.Alerts(t, lane.TicketID), "each once")
}

func manyWorkers(t *testing.T, b *bench) {
	var results []notice.Result
	var lanes []notice.Lane
	for range 3 {
		lane, part := b.lane(3)
		lanes = append(lanes, lane)
		for i, w := range b.pending(part, nil, 100) {
			if w.Delivery.Lane == lane {
				results = append(results, b.tried(w, []notice.DeliveryState{notice.Sent, notice.Retrying, notice.Failed}[i%3]))
			}
		}
	}
	require.Len(t, results, 9)
	var group sync.WaitGroup
	for i := range 4 { // as if they had lost track of each other, each in its own order
		mine := slices.Clone(results)
		if i%2 == 0 {
			slices.Reverse(mine)
		}
		group.Go(func() {
			for batch := range slices.Chunk(mine, 2+i) {
				if err := b.Outbox.SaveResults(context.Background(), batch); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	for _, lane := range lanes {
		for _, d := range b.Deliveries(t, lane) {
			require.Len(t, d.Attempts, 1)
			require.Equal(t, 1, d.Attempts[0].N)
			require.Equal(t, 1, d.Tries)
			require.NotEqual(t, notice.Pending, d.State)
		}
	}
}

func notifies(t *testing.T, b *bench) {
	lane, part := b.lane(0)
	mine, second, other := b.Outbox.Notifications(t.Context(), part), b.Outbox.Notifications(t.Context(), part), b.Outbox.Notifications(t.Context(), part+1)
	heard := func(c <-chan struct{}, within time.Duration) bool {
		select {
		case <-c:
			return true
		case <-time.After(within):
			return false
		}
	}
	b.happen(lane.TicketID, 1)
	require.True(t, heard(mine, time.Minute))
	require.True(t, heard(second, time.Minute), "each hears it")
	woken := true
	for range 5 { // everybody is told, too, that listening has begun, whenever that is
		for heard(mine, 0) || heard(second, 0) || heard(other, 0) {
		}
		b.happen(lane.TicketID, 1)
		require.True(t, heard(mine, time.Minute))
		require.True(t, heard(second, time.Minute))
		if woken = heard(other, 200*time.Millisecond); !woken {
			break
		}
	}
	require.False(t, woken, "another partition is not woken")
	b.happen(lane.TicketID, 1)
	b.happen(lane.TicketID, 1) // nobody has fetched the first
	require.True(t, heard(mine, time.Minute))
}

func redeliveries(t *testing.T, b *bench) {
	list := func(limit int) []string {
		t.Helper()
		ids, err := b.Outbox.Redeliveries(t.Context(), limit)
		require.NoError(t, err)
		return ids
	}
	require.Empty(t, list(10))
	var want []string
	for range 2 {
		lane, part := b.lane(1)
		for _, w := range b.pending(part, nil, 100) {
			b.save(b.tried(w, notice.Failed))
		}
		want = append(want, b.Redeliver(t, lane))
	}
	require.ElementsMatch(t, want, list(10))
	require.Len(t, list(1), 1)
}
