package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/notice"
	"signalbox/store/outbox"
	"signalbox/store/storetest"
	"signalbox/store/tallies"
	"signalbox/ticket"
)

// overviewOf is what stories come to, told from their events alone.
func overviewOf(stories []*story, tenant, service string, first, last time.Time) ticket.Overview {
	var counts []ticket.Tally
	for _, s := range stories {
		if s.ticket.Tenant != tenant || service != "" && s.ticket.Service != service {
			continue
		}
		var t ticket.Ticket
		for _, e := range s.events {
			after := ticket.Evolve(t, e)
			counts = append(counts, ticket.Happened(t, after, e, time.UTC)...)
			t = after
		}
		counts = append(counts, ticket.Moved(ticket.Ticket{}, t, time.UTC)...)
	}
	out, err := ticket.OverviewOf(counts, first, last, last)
	if err != nil {
		panic(err)
	}
	return out
}

func midnight(t time.Time) time.Time { return t.Truncate(24 * time.Hour) }

// An overview tells what the tickets come to: before what they add is added up, afterwards, and where it is counted anew.
func TestAnOverviewIsWhatTicketsComeTo(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		b.clock.set(midnight(epoch).Add(23*time.Hour + 30*time.Minute))
		stories := gallery(b, 60)
		first, last := midnight(epoch), midnight(b.clock.Now())
		check := func(when string) {
			t.Helper()
			for _, tenant := range []string{"a", "b", "c"} {
				for _, service := range []string{"", "incident", "calls"} {
					got, err := b.Overview(t.Context(), tenant, service, first, last)
					require.NoError(t, err)
					require.Equal(t, overviewOf(stories, tenant, service, first, last), got, "%s: %s %s", when, tenant, service)
				}
			}
			nodes, err := b.OpenAtNodes(t.Context(), "a", "calls")
			require.NoError(t, err)
			want := map[string]int{}
			for _, s := range stories {
				if s.ticket.Tenant == "a" && s.ticket.Service == "calls" && !s.ticket.Ended() {
					want["call"]++
				}
			}
			require.Equal(t, want, nodes, when)
			require.NotEmpty(t, want)
			for _, service := range []string{"calls", "incident"} {
				nodes, err := b.OpenAtNodes(t.Context(), "a", service)
				require.NoError(t, err)
				require.NotEmpty(t, nodes)
				for node, n := range nodes {
					total, err := b.Count(t.Context(), "a", ticket.Filter{Service: service, Node: node}, 1000)
					require.NoError(t, err)
					require.Equal(t, n, total.N, "%s: %s at %s", when, service, node)
				}
			}
		}
		whole, err := b.Overview(t.Context(), "a", "", first, last)
		require.NoError(t, err)
		require.NotZero(t, whole.Days[0].Opened)
		require.NotZero(t, whole.Days[1].Closed)
		require.NotZero(t, whole.Accepted.P50)
		require.NotZero(t, whole.Days[1].SLABroken+whole.Days[0].SLABroken)
		check("as it was added")
		require.NoError(t, b.Tally(t.Context()))
		require.Zero(t, b.count(`SELECT COUNT(*) FROM tally_entries`))
		check("added up")
		require.NoError(t, b.Tally(t.Context()))
		check("added up twice")

		// As migrate finds it where a version before counted nothing: what happens to tickets that it did not come to yet is counted once.
		for _, statement := range []string{`DELETE FROM tallies`, `DELETE FROM tally_entries`, `DELETE FROM ticket_nodes`, `UPDATE untallied SET up_to = 1000`} {
			_, err := b.raw().Exec(statement)
			require.NoError(t, err)
		}
		for _, s := range stories {
			if !s.ticket.Ended() && s.ticket.Service == "incident" {
				b.act(s, ticket.Command{Action: ticket.Close})
				break
			}
		}
		require.NoError(t, b.Tally(t.Context()))
		check("counted anew")
		stories = append(stories, b.opened("a", draft("one more")))
		check("and on")

		_, err = b.Overview(t.Context(), "a", "", last, last.AddDate(0, 0, ticket.MaxDays))
		require.True(t, ticket.Is(err, ticket.Invalid))
		_, err = b.Overview(t.Context(), "a", "", last, last.AddDate(0, 0, -1))
		require.True(t, ticket.Is(err, ticket.Invalid))
	})
}

// Tickets of one day and service are written while somebody holds what they are counted at: they wait for nobody.
func TestCountsHoldNobodyUp(t *testing.T) {
	t.Parallel()
	b := open(t, storetest.Postgres(t))
	b.opened("a", draft("x"))
	require.NoError(t, b.Tally(t.Context()))
	tx, err := b.raw().Begin()
	require.NoError(t, err)
	defer tx.Rollback()
	held, err := tx.Exec(`UPDATE tallies SET n = n`)
	require.NoError(t, err)
	n, err := held.RowsAffected()
	require.NoError(t, err)
	require.Positive(t, n)
	s := b.opened("a", draft("y"))
	b.act(s, ticket.Command{Action: ticket.Accept})
	got, err := b.Overview(t.Context(), "a", "", epoch, epoch)
	require.NoError(t, err)
	require.Equal(t, 2, got.Days[0].Opened)
}

// deliveriesTold checks that the overview of a tenant's deliveries is what its list of them has, and gives it.
func (b *bench) deliveriesTold(tenant, when string) []ticket.HostCounts {
	b.t.Helper()
	whole, err := b.Overview(b.t.Context(), tenant, "", midnight(epoch), midnight(epoch).AddDate(0, 0, 3))
	require.NoError(b.t, err)
	listed := func(host string, state notice.DeliveryState, from, to time.Time) int {
		total, err := b.CountDeliveries(b.t.Context(), tenant, notice.DeliveryFilter{States: []notice.DeliveryState{state}, Host: host, From: from, To: to}, 1000)
		require.NoError(b.t, err)
		return total.N
	}
	for _, d := range whole.Days {
		from, err := time.Parse(ticket.DayLayout, d.Day)
		require.NoError(b.t, err)
		require.Equal(b.t, []int{listed("", notice.Sent, from, from.AddDate(0, 0, 1)), listed("", notice.Failed, from, from.AddDate(0, 0, 1))}, []int{d.Arrived, d.Failed}, "%s: %s", when, d.Day)
	}
	arrived, failed := 0, 0
	for _, at := range whole.Hosts {
		require.Equal(b.t, []int{listed(at.Host, notice.Sent, time.Time{}, time.Time{}), listed(at.Host, notice.Failed, time.Time{}, time.Time{})}, []int{at.Arrived, at.Failed}, "%s: %s", when, at.Host)
		arrived, failed = arrived+at.Arrived, failed+at.Failed
	}
	require.Equal(b.t, []int{listed("", notice.Sent, time.Time{}, time.Time{}), listed("", notice.Failed, time.Time{}, time.Time{})}, []int{arrived, failed}, when)
	return whole.Hosts
}

// What is told of deliveries is what the lists of them have: as they arrive and are given up, begin anew, are pruned, and where a version before counted none.
func TestDeliveriesAreCounted(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		b.clock.set(midnight(epoch).Add(23*time.Hour + 55*time.Minute))
		_, _ = b.deliveredSome("b")
		all, _ := b.deliveredSome("a")
		hosts := b.deliveriesTold("a", "as it was added")
		require.Len(t, hosts, 2)
		require.NotZero(t, hosts[0].Failed)
		require.NotZero(t, hosts[0].Arrived)
		require.NoError(t, b.Tally(t.Context()))
		require.Equal(t, hosts, b.deliveriesTold("a", "added up"))

		begun := map[notice.DeliveryState]int{}
		for _, d := range all {
			if begun[d.State]++; begun[d.State] <= 2 {
				require.NoError(t, b.Redeliver(t.Context(), notice.Owner{Tenant: "a", TicketID: d.Subscription.TicketID}, d.Subscription.ID, d.ID), d.State)
			}
		}
		require.NotEqual(t, hosts, b.deliveriesTold("a", "begun anew"))
		for i, w := range b.pending() {
			b.record(b.tried(w, []notice.DeliveryState{notice.Failed, notice.Retrying, notice.Sent}[i%3]))
		}
		b.deliveriesTold("a", "tried anew")
		results := func() (list []notice.Result) {
			for _, w := range b.pending() {
				list = append(list, b.tried(w, notice.Sent))
			}
			return list
		}()
		b.record(append(results, results...)...)
		b.deliveriesTold("a", "tried at once, and told twice")

		var ends []time.Time
		for _, d := range all {
			if d.EndedAt != nil {
				ends = append(ends, *d.EndedAt)
			}
		}
		slices.SortFunc(ends, time.Time.Compare)
		n, err := b.PruneDeliveries(t.Context(), ends[len(ends)/2], 100)
		require.NoError(t, err)
		require.Positive(t, n)
		hosts = b.deliveriesTold("a", "pruned")
		require.NoError(t, b.Tally(t.Context()))
		for _, statement := range []string{`DELETE FROM tallies WHERE what IN ('arrived', 'failed')`, `UPDATE deliveries SET counted = ''`} {
			_, err := b.raw().Exec(statement)
			require.NoError(t, err)
		}
		require.NoError(t, b.TallyDeliveries(t.Context()))
		require.Equal(t, hosts, b.deliveriesTold("a", "counted anew"))
		require.NoError(t, b.TallyDeliveries(t.Context()))
		require.Equal(t, hosts, b.deliveriesTold("a", "and not twice"))
		south, err := b.Overview(t.Context(), "c", "", midnight(epoch), midnight(epoch))
		require.NoError(t, err)
		require.Empty(t, south.Hosts)
	})
}

// What waits is counted by its age, each count as the list that it leads to has it.
func TestTheBacklogIsToldByAge(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		for _, tenant := range []string{"b", "a"} {
			for i, pass := range []time.Duration{9 * 24 * time.Hour, 30 * time.Hour, 2 * time.Hour, 30 * time.Minute, 2 * time.Minute, 0} {
				s := b.opened(tenant, draft("x"))
				_, err := b.Register(t.Context(), s.ticket, notice.Subscription{URL: "https://one.example.com/a", Profile: "standard"})
				require.NoError(t, err)
				for j := range 4 {
					s.at = b.clock.Now()
					b.project(s, s.relate("manifest", fmt.Sprint(j))...)
				}
				for j, w := range b.pending() {
					if w.Delivery.Lane.TicketID == s.ticket.ID && i%2 == 0 {
						b.record(b.tried(w, []notice.DeliveryState{notice.Retrying, notice.Sent}[(i/2+j)%2]))
					}
				}
				b.clock.pass(pass)
			}
		}
		ages, err := b.OwedByAge(t.Context(), "a")
		require.NoError(t, err)
		require.Len(t, ages, 6)
		found := map[notice.DeliveryState]int{}
		for i, age := range ages {
			require.Equal(t, i == 0, age.To.IsZero())
			require.Equal(t, i == len(ages)-1, age.From.IsZero())
			for _, state := range notice.Waiting {
				total, err := b.CountDeliveries(t.Context(), "a", notice.DeliveryFilter{States: []notice.DeliveryState{state}, From: age.From, To: age.To}, notice.CountedTo)
				require.NoError(t, err)
				require.Equal(t, total, age.Waits[state], "%s, over %s", state, age.Over)
				found[state] += total.N
			}
			require.NotZero(t, age.Waits[notice.Pending].N+age.Waits[notice.Retrying].N, "over %s", age.Over)
		}
		require.NotZero(t, found[notice.Pending])
		require.NotZero(t, found[notice.Retrying])
		all, err := b.CountDeliveries(t.Context(), "a", notice.DeliveryFilter{States: notice.Waiting}, 1000)
		require.NoError(t, err)
		require.Equal(t, all.N, found[notice.Pending]+found[notice.Retrying]+found[notice.Held])
	})
}

// An overview, where tickets stand and what waits are read by indexes, however much there is beside what is asked for.
func TestOverviewsAreAnsweredByIndexes(t *testing.T) {
	t.Parallel()
	b := crowdedToLookAt(t)
	days, args := tallies.ReadQuery("a", tallies.Choice{First: "2026-05-01", Last: "2026-05-07", What: ticket.TalliesOfOverview})
	nodes, ofNodes := tallies.ReadQuery("a", tallies.Choice{Service: "incident", What: []string{ticket.TallyNode}})
	waits, ofWaits := outbox.BacklogQuery("a", epoch)
	for what, q := range map[string]struct {
		query string
		args  []any
	}{"days": {days, args}, "nodes": {nodes, ofNodes}, "backlog": {waits, ofWaits}} {
		plan := planOf(t, b.raw(), q.query, q.args...)
		few := strings.NewReplacer("Seq Scan on tallied", "", "Seq Scan on tally_entries", "") // which have few rows, always
		require.NotContains(t, few.Replace(plan), "Seq Scan", "%s\n%s", what, plan)
		if what == "backlog" {
			require.Contains(t, plan, "deliveries_backlog", plan)
		} else {
			require.Contains(t, plan, "tallies_pkey", plan)
		}
	}
}

func TestDurationsAreToldByBuckets(t *testing.T) {
	day := midnight(epoch)
	var counts []ticket.Tally
	for i := range 100 {
		from := ticket.Ticket{Status: ticket.Triggered, Seq: 1, CreatedAt: day}
		after := from
		after.Status = ticket.Acknowledged
		counts = append(counts, ticket.Happened(from, after, ticket.Event{At: day.Add(time.Duration(i+1) * time.Minute)}, time.UTC)...)
	}
	got, err := ticket.OverviewOf(counts, day, day, day)
	require.NoError(t, err)
	require.Equal(t, ticket.Durations{N: 100, P50: time.Hour, P95: 2 * time.Hour}, got.Accepted)
}
