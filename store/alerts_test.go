package store_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/notice"
	"signalbox/ticket"
)

// told is an event of the stream as a subscription of format event gets it.
type told struct {
	Topic   string   `json:"event_topic"`
	Type    string   `json:"event_type"`
	Status  string   `json:"event_status"`
	Key     string   `json:"event_key"`
	Changes []string `json:"changes"`
}

// alertsTo are the alerts that a subscription is owed, oldest first.
func (b *bench) alertsTo(sub notice.Subscription) (list []told) {
	b.t.Helper()
	for _, body := range b.bodies(sub) {
		var e told
		require.NoError(b.t, json.Unmarshal([]byte(body), &e))
		if e.Topic == notice.TopicDelivery {
			list = append(list, e)
		}
	}
	return list
}

// timeline is all of a ticket's, read page by page; after each page more is written by meanwhile, if there is one.
func (b *bench) timeline(s *story, page int, meanwhile ...func()) (list []notice.Entry) {
	b.t.Helper()
	var after notice.Position
	for {
		entries, err := b.Entries(b.t.Context(), s.ticket.ID, after, page)
		require.NoError(b.t, err)
		if len(entries) == 0 {
			return list
		}
		list = append(list, entries...)
		after = entries[len(entries)-1].Position()
		if len(meanwhile) > 0 {
			meanwhile[0]()
			meanwhile = meanwhile[1:]
		}
	}
}

// words tells a timeline briefly.
func words(entries []notice.Entry) (list []string) {
	for _, e := range entries {
		if e.Alert != nil {
			list = append(list, e.Position().String()+" "+string(e.Alert.Kind))
		} else {
			list = append(list, e.Position().String()+" "+string(e.Event.Type))
		}
	}
	return list
}

func TestAGivenUpDeliveryIsInTheTimelineAndTheStream(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s, sub := b.subscribed()
		all, drops := b.follow(notice.Filter{Topic: notice.TopicDelivery}), b.follow(notice.Filter{Type: string(notice.AddressDropped)})
		stranger := b.followAs("b", notice.FormatEvent, notice.Filter{})
		b.project(s, s.relate("manifest", "1")...)
		b.project(s, s.relate("manifest", "2")...)
		works := b.pending()
		b.record(b.tried(works[0], notice.Retrying))
		require.Zero(t, b.count(`SELECT COUNT(*) FROM alerts`), "it goes on")

		w, more, err := b.outbox.Next(t.Context(), works[0].Delivery.Lane)
		require.NoError(t, err)
		require.True(t, more)
		failed := b.tried(w, notice.Failed)
		failed.Drop = "failed 11 times"
		b.record(failed)
		b.record(failed) // a lost answer: recorded again
		b.act(s, ticket.Command{Action: ticket.Accept})

		entries := b.timeline(s, 2)
		require.Equal(t, []string{"1 opened", "2 related", "3 related", "3.1 delivery_failed", "3.2 address_dropped", "4 accepted"}, words(entries))
		alert := *entries[3].Alert
		require.NotEmpty(t, alert.ID)
		require.NotEqual(t, alert.ID, entries[4].Alert.ID)
		require.Equal(t, notice.Alert{ID: alert.ID, Tenant: "a", TicketID: s.ticket.ID, Position: notice.Position{Seq: 3, N: 1}, At: failed.Attempt.FinishedAt,
			Kind: notice.DeliveryFailed, Subscription: sub.ID, Delivery: w.Delivery.ID, Host: "example.com", Reason: "no  answer"}, alert)
		require.Equal(t, "failed 11 times", entries[4].Alert.Reason)

		key := "ticket." + s.ticket.Number
		gone := told{"delivery", "address_dropped", "dropped", key, []string{sub.ID, w.Delivery.ID}}
		require.Equal(t, []told{{"delivery", "delivery_failed", "timeout", key, []string{sub.ID, w.Delivery.ID}}, gone}, b.alertsTo(all))
		require.Equal(t, []told{gone}, b.alertsTo(drops))
		require.Empty(t, b.deliveries(stranger))
		require.Equal(t, 2, b.count(`SELECT COUNT(*) FROM stream WHERE tenant = 'a' AND source = 'signalbox' AND topic = 'delivery'`))
		require.Len(t, b.pending(), 3, "and is sent like everything else")

		// People are shown one entry for both, and none for what concerns who follows all tickets.
		every := b.follow(notice.Filter{})
		b.project(s, s.relate("manifest", "3")...)
		of := b.of(every, b.pending())
		i := slices.IndexFunc(of, func(w notice.Work) bool { return w.Delivery.Lane.TicketID == s.ticket.ID })
		require.GreaterOrEqual(t, i, 0)
		b.record(b.tried(of[i], notice.Failed))
		require.Len(t, b.timeline(s, 100), 8)
		n, err := b.CountEntries(t.Context(), s.ticket.ID)
		require.NoError(t, err)
		require.Equal(t, 6, n)
	})
}

func TestOfWhatWasHeldOrDroppedBeforeNobodyIsTold(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s, other := b.opened("a", draft("x")), b.opened("a", draft("y"))
		all := b.follow(notice.Filter{})
		b.project(s, s.relate("manifest", "1")...)
		b.project(other, other.relate("manifest", "1")...)
		works := b.of(all, b.pending())
		require.Len(t, works, 2)
		// Both tries end after the subscription was paused, and both would have dropped it.
		b.amend(all, notice.Paused)
		for _, w := range works {
			r := b.tried(w, notice.Failed)
			r.Drop = "gone"
			b.record(r)
		}
		require.Zero(t, b.count(`SELECT COUNT(*) FROM alerts`))
		require.Zero(t, b.count(`SELECT COUNT(*) FROM stream`))

		// Of two tries that drop an address one did.
		b.amend(all, notice.Active)
		works = b.of(all, b.pending())
		var results []notice.Result
		for _, w := range works {
			r := b.tried(w, notice.Failed)
			r.Drop = "gone"
			results = append(results, r)
		}
		b.record(results...)
		require.Equal(t, 1, b.count(`SELECT COUNT(*) FROM alerts WHERE kind = 'address_dropped'`))
		require.Equal(t, 2, b.count(`SELECT COUNT(*) FROM alerts`), "the other delivery is held, and not given up")
	})
}

func TestPagesOfATimelineAreExactWhileItGrows(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s, _ := b.subscribed()
		fail := func() {
			b.t.Helper()
			b.project(s, s.relate("manifest", b.id())...)
			b.record(b.tried(b.pending()[0], notice.Failed))
		}
		for range 3 {
			fail()
		}
		// The place where a page ends may be an event, whose alerts come later.
		entries := b.timeline(s, 1, func() {}, func() {}, fail, func() {}, fail)
		require.Equal(t, []string{"1 opened", "2 related", "2.1 delivery_failed", "3 related", "3.1 delivery_failed", "4 related", "4.1 delivery_failed",
			"5 related", "5.1 delivery_failed", "6 related", "6.1 delivery_failed"}, words(entries))
		for _, page := range []int{1, 2, 3, 100} {
			require.Equal(t, words(entries), words(b.timeline(s, page)))
			var back []notice.Entry
			var before notice.Position
			for {
				part, err := b.EntriesBefore(t.Context(), s.ticket.ID, before, page)
				require.NoError(t, err)
				if len(part) == 0 {
					break
				}
				back = append(part, back...)
				before = part[0].Position()
			}
			require.Equal(t, words(entries), words(back), "%d at a time", page)
		}
		events, err := b.Timeline(t.Context(), s.ticket.ID, 0, 100)
		require.NoError(t, err)
		require.Len(t, events, 6, "logs and histories are told of events alone")
	})
}

// A lasting subscription follows every ticket of its tenant. One dead receiver is not an entry in the timeline of each.
func TestADeadLastingSubscriberIsInOneTimeline(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		dead, all := b.follow(notice.Filter{Topic: notice.TopicTicket}), b.follow(notice.Filter{Type: string(notice.DeliveryFailed)})
		fail := func(together int) {
			for range 4 {
				b.opened("a", draft("x"))
			}
			for works := range slices.Chunk(b.of(dead, b.pending()), together) {
				var results []notice.Result
				for _, w := range works {
					results = append(results, b.tried(w, notice.Failed))
					b.clock.pass(time.Second)
				}
				b.record(results...)
				b.record(results...) // a lost answer: recorded again
			}
		}
		fail(1)
		require.Equal(t, 1, b.count(`SELECT COUNT(*) FROM alerts`), "the first")
		require.Len(t, b.alertsTo(all), 4, "who follows such alerts is told of each")
		fail(4)
		require.Equal(t, 1, b.count(`SELECT COUNT(*) FROM alerts`), "nothing has changed")
		require.Len(t, b.alertsTo(all), 8)

		b.opened("a", draft("x"))
		b.record(b.tried(b.of(dead, b.pending())[0], notice.Sent))
		b.clock.pass(time.Second)
		fail(4)
		require.Equal(t, 2, b.count(`SELECT COUNT(*) FROM alerts`), "it had been back")
		require.Len(t, b.alertsTo(all), 12)
	})
}

// Whoever follows everything and whose receiver is dead is not told of that for ever.
func TestAlertsAboutAlertsComeToAnEnd(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s, _ := b.subscribed()
		for range 3 {
			b.follow(notice.Filter{})
		}
		b.project(s, s.relate("manifest", "1")...)
		rounds := 0
		for ; ; rounds++ {
			works := b.pending()
			if len(works) == 0 {
				break
			}
			require.Less(t, rounds, 10, "%d still pending", len(works))
			for _, w := range works {
				r := b.tried(w, notice.Failed)
				r.BreakerOpened = true
				b.record(r)
			}
		}
		// It is told to the address and the three: 4 deliveries that failed, and of each of them those hear who are not meant themselves.
		require.Equal(t, 4, b.count(`SELECT COUNT(*) FROM stream WHERE type = 'delivery_failed'`))
		require.Equal(t, 4, b.count(`SELECT COUNT(*) FROM stream WHERE type = 'breaker_opened'`))
		require.Equal(t, 2*(3+3*2), b.count(`SELECT COUNT(*) FROM deliveries WHERE alert`))
		require.Equal(t, 2*4, b.count(`SELECT COUNT(*) FROM alerts`))
		require.Equal(t, 2, rounds)

		// Dropping is always told, and there is an end to it all the same.
		b.project(s, s.relate("manifest", "2")...)
		for rounds = 0; ; rounds++ {
			works := b.pending()
			if len(works) == 0 {
				break
			}
			require.Less(t, rounds, 10, "%d still pending", len(works))
			r := b.tried(works[0], notice.Failed)
			r.Drop = "gone"
			b.record(r)
		}
		require.Equal(t, 4, b.count(`SELECT COUNT(*) FROM stream WHERE type = 'address_dropped'`))
	})
}

func TestABreakerIsToldOfOnce(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s, sub := b.subscribed()
		all := b.follow(notice.Filter{Topic: notice.TopicDelivery})
		b.project(s, s.relate("manifest", "1")...)
		w := b.pending()[0]
		next := b.clock.Now().Add(time.Minute)
		off := notice.Result{Work: w, Then: notice.Retrying, PutOff: true, BreakerOpened: true, NextTry: &next, Attempt: notice.Attempt{StartedAt: b.clock.Now()}}
		b.record(off)
		b.record(off) // a lost answer: recorded again
		require.Equal(t, []string{"1 opened", "2 related", "2.1 breaker_opened"}, words(b.timeline(s, 10)))
		require.Equal(t, []told{{"delivery", "breaker_opened", "open", "ticket." + s.ticket.Number, []string{sub.ID, w.Delivery.ID}}}, b.alertsTo(all))
	})
}

func TestAlertsOfNoTicketAreInTheStreamAlone(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		gone, all := b.follow(notice.Filter{Source: "a"}), b.follow(notice.Filter{Topic: notice.TopicDelivery})
		b.publish(seed())
		w := b.pending()[0]
		b.record(b.tried(w, notice.Failed))
		require.Zero(t, b.count(`SELECT COUNT(*) FROM alerts`))
		want := []told{{"delivery", "delivery_failed", "timeout", "subscription." + gone.ID, []string{gone.ID, w.Delivery.ID}}}
		require.Equal(t, want, b.alertsTo(all))

		b.publish(seed())
		w = b.of(gone, b.pending())[0]
		next := b.clock.Now().Add(time.Minute)
		off := notice.Result{Work: w, Then: notice.Retrying, PutOff: true, BreakerOpened: true, NextTry: &next, Attempt: notice.Attempt{StartedAt: b.clock.Now()}}
		b.record(off)
		b.record(off) // a lost answer: recorded again
		require.Equal(t, append(want, told{"delivery", "breaker_opened", "open", "subscription." + gone.ID, []string{gone.ID, w.Delivery.ID}}), b.alertsTo(all))
	})
}

func TestWhoFollowsIsToldThatATicketIsInDoubt(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s := b.opened("a", draft("x"))
		sub, paused, other := b.follow(notice.Filter{Type: string(notice.TicketInDoubt)}), b.follow(notice.Filter{Topic: notice.TopicTicket}), b.follow(notice.Filter{Topic: notice.TopicDelivery})
		b.amend(paused, notice.Paused)
		for range 2 { // the second time it is in doubt already
			require.NoError(t, b.ledger.Doubt(t.Context(), s.ticket.Identity, "for a reason"))
		}
		require.Equal(t, []string{"1 opened", "1.1 ticket_in_doubt"}, words(b.timeline(s, 10)))
		works := b.pending()
		require.Len(t, works, 1)
		require.Equal(t, sub.ID, works[0].Subscription.ID)
		var e told
		require.NoError(t, json.Unmarshal(works[0].Delivery.Body, &e))
		require.Equal(t, told{"ticket", "ticket_in_doubt", "doubt", "ticket." + s.ticket.Number, []string{s.ticket.Number}}, e)
		held := b.deliveries(paused)
		require.Len(t, held, 1)
		require.Equal(t, notice.Held, held[0].State)
		require.Empty(t, b.deliveries(other))
	})
}

// A try is written down although that at another delivery, which is there no more, cannot be.
func TestResultsOfWhatIsGoneAreLeftOut(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s, sub := b.subscribed()
		other, all := b.opened("a", draft("y")), b.follow(notice.Filter{})
		b.project(s, s.relate("manifest", "1")...)
		b.project(other, other.relate("manifest", "1")...)
		gone, there := b.of(sub, b.pending())[0], b.of(all, b.pending())[0]
		_, err := b.raw().Exec(`DELETE FROM deliveries WHERE id = '` + gone.Delivery.ID + `'`)
		require.NoError(t, err)
		failed := b.tried(gone, notice.Failed)
		failed.Drop, failed.BreakerOpened = "gone", true
		logging, log := b.logging()
		require.NoError(t, logging.Outbox.SaveResults(t.Context(), []notice.Result{failed, b.tried(there, notice.Sent)}))
		require.Equal(t, 1, strings.Count(log.String(), "msg=delivery.gone delivery="+gone.Delivery.ID), log.String())
		require.Equal(t, 1, b.count(`SELECT COUNT(*) FROM deliveries WHERE state = 'sent' AND id = '`+there.Delivery.ID+`'`))
		require.Equal(t, 1, b.count(`SELECT COUNT(*) FROM attempts`))
		require.Zero(t, b.count(`SELECT COUNT(*) FROM alerts`))
		r, err := b.Registration(t.Context(), notice.Owner{Tenant: "a", TicketID: s.ticket.ID}, sub.ID)
		require.NoError(t, err)
		require.Equal(t, notice.Active, r.Subscription.State)
		require.Nil(t, r.Subscription.FailingSince)
	})
}

// Projecting, publishing, trying, giving up, dropping and pausing hold rows of the same kinds, many of them at once.
func TestAlertsDeadlockWithNobody(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		var subs []notice.Subscription
		for range 4 {
			subs = append(subs, b.follow(notice.Filter{}))
		}
		stories, numbers := make([]*story, 3), make([]string, 3)
		for i := range stories {
			stories[i], _ = b.subscribed()
			numbers[i] = stories[i].ticket.Number
		}
		before := b.deadlocks()
		check := func(err error) {
			if err != nil {
				t.Error(err)
			}
		}
		var tries atomic.Int64
		dropping := false // whoever is tried fails for good, and is dropped
		// Of twenty tries in a row ten fail for good, and two of these drop their address.
		drain := func() (tried int) {
			parts, err := b.outbox.Partitions(t.Context())
			check(err)
			var batch []notice.Result
			seen := map[notice.Lane]bool{}
			for _, part := range parts {
				works, err := b.outbox.Pending(t.Context(), part, nil, 20)
				check(err)
				for _, w := range works {
					if seen[w.Delivery.Lane] {
						continue
					}
					seen[w.Delivery.Lane] = true
					n := tries.Add(1)
					r := b.tried(w, []notice.DeliveryState{notice.Sent, notice.Failed, notice.Retrying, notice.Failed}[n%4])
					if n%5 == 1 && r.Then == notice.Failed {
						r.Drop = "gone"
					}
					if dropping {
						r = b.tried(w, notice.Failed)
						r.Drop = "gone"
					}
					batch = append(batch, r)
				}
			}
			check(b.outbox.SaveResults(t.Context(), batch))
			return len(batch)
		}
		retry := func() {
			lanes, err := b.outbox.Retrying(t.Context(), notice.Lane{}, 20)
			check(err)
			for _, lane := range lanes {
				if w, more, err := b.outbox.Next(t.Context(), lane); more {
					r := b.tried(w, notice.Failed)
					if dropping {
						r.Drop = "gone"
					}
					check(b.outbox.SaveResults(t.Context(), []notice.Result{r}))
				} else {
					check(err)
				}
			}
		}
		n := 0
		amend := func() {
			n++
			b.amend(subs[n%len(subs)], []notice.SubscriptionState{notice.Paused, notice.Active}[n%2])
		}
		alone := func() { drain() }
		step, done := alongside(1, alone, alone, retry, amend)
		var writing sync.WaitGroup
		for _, s := range stories {
			writing.Go(func() {
				for i := range 40 {
					check(b.ledger.Project(t.Context(), s.ticket.Identity, s.relate("manifest", fmt.Sprint(i))))
					step()
				}
			})
		}
		writing.Go(func() {
			for i := range 80 {
				p := seed()
				p.Key = "ticket." + numbers[i%3] // the lanes that alerts enter
				check(b.Publish(t.Context(), "a", "demo", p))
				step()
			}
		})
		writing.Wait()
		done()
		require.Equal(t, before, b.deadlocks())
		// How many turns there were beside those who write is luck; what is left has its turn now.
		for drain() > 0 {
		}
		// So is whether the tries that were to drop an address were those that counted. If none was, all addresses of tickets are there.
		if b.count(`SELECT COUNT(*) FROM alerts WHERE kind = 'address_dropped'`) == 0 {
			b.project(stories[0], stories[0].relate("manifest", "last")...)
			dropping = true
			drain()
			retry()
		}
		require.Positive(t, b.count(`SELECT COUNT(*) FROM alerts WHERE kind = 'delivery_failed'`))
		require.Positive(t, b.count(`SELECT COUNT(*) FROM alerts WHERE kind = 'address_dropped'`))
		for _, s := range stories {
			last := notice.Position{}
			for _, e := range b.timeline(s, 50) {
				p := e.Position()
				require.True(t, last.Before(p))
				require.True(t, p.N <= 1 || last == notice.Position{Seq: p.Seq, N: p.N - 1}, "%v after %v", p, last)
				last = p
			}
		}
	})
}

// deadlocks is how many the database had to break up; those that the store repeated after are among them.
func (b *bench) deadlocks() int {
	if b.dsn[:6] == "sqlite" {
		return 0
	}
	return b.count(`SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`)
}
