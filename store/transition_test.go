package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/notice"
	"signalbox/store/storetest"
)

// heap owes a subscription n deliveries more, in as many lanes as are asked for, one after the other.
func (b *bench) heap(sub notice.Subscription, state notice.DeliveryState, n, lanes int) {
	b.t.Helper()
	_, err := b.raw().Exec(strings.NewReplacer("$sub", sub.ID, "$state", string(state), "$lanes", fmt.Sprint(lanes), "$n", fmt.Sprint(n),
		"$over", map[bool]string{true: "created_at", false: "NULL"}[state.Over()]).Replace(
		`INSERT INTO deliveries (id, tenant, subscription_id, ticket_id, part, at, seq, type, body, state, tries, listed, created_at, ended_at)
		WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < $n)
		SELECT 'msg_$sub-' || i, tenant, id, -1 - i % $lanes, i % $lanes % 16, created_at, i, 'x', CAST(i AS text), '$state', 0, false, created_at, $over FROM subscriptions, g WHERE id = '$sub'`))
	require.NoError(b.t, err)
}

// bulk counts a subscription's deliveries by state, however many they are.
func (b *bench) bulk(sub notice.Subscription, state notice.DeliveryState) int {
	return b.count(fmt.Sprintf(`SELECT COUNT(*) FROM deliveries WHERE subscription_id = '%s' AND state = '%s'`, sub.ID, state))
}

// rest is what is left of what became of subscriptions, as the sweep finds it.
func (b *bench) rest() []string {
	b.t.Helper()
	ids, err := b.outbox.Redeliveries(b.t.Context(), 10)
	require.NoError(b.t, err)
	return ids
}

// goOnWith has one batch of a redelivery, or of what becomes of a subscription, done.
func (b *bench) goOnWith(id string) notice.Redelivery {
	b.t.Helper()
	out, err := b.RedeliverSome(b.t.Context(), id, 200, 500)
	require.NoError(b.t, err)
	return out
}

// sendable is what a drain finds; unlike pending, it does not mind a partition that has nothing for it.
func (b *bench) sendable() []notice.Work {
	b.t.Helper()
	var next []notice.Work
	for part := range 16 {
		works, err := b.outbox.Pending(b.t.Context(), part, nil, 1000)
		require.NoError(b.t, err)
		next = append(next, works...)
	}
	return b.behind(next)
}

// send has all that is pending arrive, and gives the bodies by lane.
func (b *bench) send(got map[notice.Lane][]string) {
	b.t.Helper()
	for {
		works := b.sendable()
		if len(works) == 0 {
			return
		}
		var results []notice.Result
		for _, w := range works {
			got[w.Delivery.Lane] = append(got[w.Delivery.Lane], string(w.Delivery.Body))
			results = append(results, b.tried(w, notice.Sent))
		}
		b.record(results...)
	}
}

func TestWhatWasHeldForWeeksIsSentALittleAtATimeAndInOrder(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		sub := b.follow(notice.Filter{})
		b.amend(sub, notice.Paused)
		const n = 3000
		b.heap(sub, notice.Held, n, 7)
		b.amend(sub, notice.Active)
		require.Equal(t, 500, b.bulk(sub, notice.Pending), "no more in the request itself")
		require.Equal(t, []string{"turn:" + sub.ID}, b.rest())

		b.clock.pass(time.Second)
		b.publish(seed())
		require.Equal(t, n-500+1, b.bulk(sub, notice.Held), "what comes waits behind what is older")
		now := b.goOnWith("turn:" + sub.ID)
		require.Equal(t, notice.Redelivering, now.State)
		require.Equal(t, 500, now.Done)
		require.Equal(t, n-500+1, now.Total)
		require.Equal(t, 1000, b.bulk(sub, notice.Pending), "never more than that waits")
		require.Zero(t, b.goOnWith("turn:"+sub.ID).Done, "before some of it is sent")

		got := map[notice.Lane][]string{}
		for range 10 {
			b.send(got)
			if now = b.goOnWith("turn:" + sub.ID); now.State == notice.Redelivered {
				break
			}
		}
		require.Equal(t, notice.Redelivered, now.State)
		require.Empty(t, b.rest())
		b.send(got)
		b.publish(seed())
		require.Equal(t, 1, b.bulk(sub, notice.Pending), "all is as ever")
		require.Zero(t, b.bulk(sub, notice.Held))
		all := 0
		for lane, bodies := range got {
			all += len(bodies)
			if lane.TicketID >= -7 {
				require.True(t, slices.IsSortedFunc(bodies, func(a, b string) int { return len(a)*10000 - len(b)*10000 + strings.Compare(a, b) }), "%v", lane)
			}
		}
		require.Equal(t, n+1, all)
	})
}

func TestManyThatWereUnderWayAreHeldALittleAtATimeAndNotSentMeanwhile(t *testing.T) {
	for how, stop := range map[string]func(b *bench, sub notice.Subscription){
		"paused": func(b *bench, sub notice.Subscription) { b.amend(sub, notice.Paused) },
		"dropped": func(b *bench, sub notice.Subscription) {
			last := b.tried(b.sendable()[0], notice.Failed)
			last.Drop = "gone"
			b.record(last)
		},
	} {
		t.Run(how, func(t *testing.T) {
			both(t, func(t *testing.T, b *bench) {
				sub := b.follow(notice.Filter{})
				b.heap(sub, notice.Pending, 1600, 5)
				b.record(b.tried(b.sendable()[1], notice.Retrying))
				stop(b, sub)
				require.Equal(t, 500, b.bulk(sub, notice.Held), "no more in one transaction")
				require.Empty(t, b.sendable(), "though much is pending still")
				for i := range 5 {
					_, more, err := b.outbox.Next(t.Context(), notice.Lane{Subscription: sub.ID, TicketID: int64(-1 - i)})
					require.NoError(t, err)
					require.False(t, more)
				}

				b.amend(sub, notice.Active) // before it had come to its end
				require.Empty(t, b.sendable(), "what is held already is older")
				b.publish(seed())
				require.Empty(t, b.sendable())
				got, state := map[notice.Lane][]string{}, notice.Redelivering
				for range 20 {
					if state = b.goOnWith("turn:" + sub.ID).State; state != notice.Redelivering {
						break
					}
					b.send(got)
				}
				b.send(got)
				require.Equal(t, notice.Redelivered, state)
				all := 0
				for _, bodies := range got {
					all += len(bodies)
					require.True(t, slices.IsSortedFunc(bodies, func(a, b string) int { return len(a)*10000 - len(b)*10000 + strings.Compare(a, b) }))
				}
				require.Equal(t, map[string]int{"paused": 1601, "dropped": 1600}[how], all)
			})
		})
	}
}

func TestManyOfADeletedSubscriptionAreCancelledALittleAtATime(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		sub := b.follow(notice.Filter{})
		b.heap(sub, notice.Pending, 1200, 5)
		b.amend(sub, notice.Paused)
		require.NoError(t, b.Unsubscribe(t.Context(), notice.Owner{Tenant: "a"}, sub.ID))
		require.Empty(t, b.sendable())
		for range 5 {
			b.goOnWith("turn:" + sub.ID)
		}
		require.Empty(t, b.rest())
		require.Equal(t, 1200, b.bulk(sub, notice.Cancelled))
	})
}

func TestALaneThatDoesNotRecoverKeepsNoOthersHeld(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		sub := b.follow(notice.Filter{})
		b.amend(sub, notice.Paused)
		b.heap(sub, notice.Held, 2500, 2)
		b.amend(sub, notice.Active)
		for range 20 {
			var results []notice.Result
			retrying := map[notice.Lane]bool{}
			for _, w := range b.sendable() {
				then := notice.Sent
				if w.Delivery.Lane.TicketID == -1 {
					if then = notice.Retrying; retrying[w.Delivery.Lane] {
						continue
					}
					retrying[w.Delivery.Lane] = true
				}
				results = append(results, b.tried(w, then))
			}
			b.record(results...)
			b.goOnWith("turn:" + sub.ID)
		}
		require.Empty(t, b.rest())
		require.Equal(t, 1250, b.bulk(sub, notice.Retrying), "it waits, and what comes after it does")
		require.Zero(t, b.bulk(sub, notice.Held))
		require.Equal(t, 1250, b.bulk(sub, notice.Sent))
	})
}

func TestPausingDeadlocksWithNobody(t *testing.T) {
	t.Parallel()
	b := open(t, storetest.Postgres(t))
	sub := b.follow(notice.Filter{})
	b.heap(sub, notice.Pending, 300, 300)
	before := b.deadlocks()
	var jobs []func()
	again := func(job func(n int) []notice.Result) {
		n := 0
		jobs = append(jobs, func() {
			if err := b.outbox.SaveResults(t.Context(), job(n)); err != nil {
				t.Error(err)
			}
			n++
		})
	}
	for worker := range 3 {
		again(func(n int) (batch []notice.Result) {
			for part := worker; part < 16; part += 3 {
				works, err := b.outbox.Pending(t.Context(), part, nil, 100)
				if err != nil {
					t.Error(err)
				}
				for _, w := range works {
					batch = append(batch, b.tried(w, map[bool]notice.DeliveryState{true: notice.Sent, false: notice.Retrying}[n%2 == 0]))
				}
			}
			return batch
		})
	}
	again(func(int) (batch []notice.Result) { // what their workflows do, as many at once as would be by chance
		lanes, err := b.outbox.Retrying(t.Context(), notice.Lane{}, 50)
		for _, lane := range lanes {
			w, more, failed := b.outbox.Next(t.Context(), lane)
			if err = errors.Join(err, failed); more {
				batch = append(batch, b.tried(w, notice.Retrying))
			}
		}
		if err != nil {
			t.Error(err)
		}
		return batch
	})
	db := b.raw()
	step, done := alongside(4, jobs...)
	for range 18 {
		step()
		b.amend(sub, notice.Paused)
		step()
		// So that there is no end to them; locked by id, as everybody does who locks them.
		_, err := db.Exec(`UPDATE deliveries SET state = 'held', ended_at = created_at WHERE id IN (SELECT id FROM deliveries WHERE state = 'sent' ORDER BY id FOR UPDATE)`)
		require.NoError(t, err)
		step()
		b.amend(sub, notice.Active)
	}
	done()
	require.Equal(t, before, b.deadlocks())
}
