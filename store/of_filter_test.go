package store_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/notice"
	"signalbox/store/outbox"
	"signalbox/ticket"
)

// deliveredSome makes deliveries of a tenant to several addresses, some of which fail, and gives them as they were last seen, the newest first.
func (b *bench) deliveredSome(tenant string) (list []notice.TenantDelivery, stories []*story) {
	b.t.Helper()
	for i := range 3 {
		s := b.opened(tenant, draft(fmt.Sprint("ticket ", i)))
		stories = append(stories, s)
		for _, url := range []string{"https://one.example.com/a", "https://two.example.com/" + fmt.Sprint(i%2)} {
			_, err := b.Register(b.t.Context(), s.ticket, notice.Subscription{URL: url, Profile: "standard"})
			require.NoError(b.t, err)
		}
		for j := range 3 {
			b.clock.pass(time.Minute)
			s.at = b.clock.Now()
			b.project(s, s.relate("manifest", fmt.Sprint(j))...)
		}
	}
	for i, w := range b.pending() {
		if w.Delivery.Tenant == tenant {
			b.record(b.tried(w, []notice.DeliveryState{notice.Sent, notice.Failed, notice.Sent, notice.Failed, notice.Sent}[i%5]))
		}
	}
	for _, s := range stories {
		registered, _, err := b.Registered(b.t.Context(), s.ticket.ID, "", 0)
		require.NoError(b.t, err)
		for _, r := range registered {
			for _, d := range b.deliveries(r.Subscription) {
				event := s.events[d.Seq-1]
				list = append(list, notice.TenantDelivery{DeliveryRecord: d, At: event.At, Number: s.ticket.Number, Subscription: r.Subscription})
			}
		}
	}
	slices.SortFunc(list, func(x, y notice.TenantDelivery) int {
		if c := y.At.Compare(x.At); c != 0 {
			return c
		}
		return -cmpText(x.ID, y.ID)
	})
	return list, stories
}

func cmpText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// chosen is what a filter means, said in another way.
func chosen(d notice.TenantDelivery, f notice.DeliveryFilter) bool {
	return (len(f.States) == 0 || slices.Contains(f.States, d.State)) && (f.Subscription == "" || f.Subscription == d.Lane.Subscription) && (f.Host == "" || f.Host == d.Subscription.Host) &&
		(f.URL == "" || f.URL == d.Subscription.URL) && (f.TicketID == 0 || f.TicketID == d.Lane.TicketID) && (f.From.IsZero() || !d.At.Before(f.From)) && (f.To.IsZero() || d.At.Before(f.To))
}

func deliveryFilters(one notice.TenantDelivery) map[string]notice.DeliveryFilter {
	return map[string]notice.DeliveryFilter{
		"all": {}, "failed": {States: []notice.DeliveryState{notice.Failed}}, "in trouble": {States: notice.InTrouble}, "sent": {States: []notice.DeliveryState{notice.Sent}},
		"host": {Host: "two.example.com"}, "no such host": {Host: "three.example.com"}, "address": {URL: "https://two.example.com/1"}, "subscription": {Subscription: one.Lane.Subscription},
		"ticket": {TicketID: one.Lane.TicketID}, "from": {From: one.At}, "to": {To: one.At}, "failed at a host": {States: []notice.DeliveryState{notice.Failed}, Host: "one.example.com"},
		"sent to a host": {States: []notice.DeliveryState{notice.Sent}, Host: "two.example.com"}, "over at a host": {States: []notice.DeliveryState{notice.Failed, notice.Sent}, Host: "two.example.com"},
		"in trouble at a host": {States: notice.InTrouble, Host: "two.example.com"},
		"failed of a time":     {States: []notice.DeliveryState{notice.Failed, notice.Held}, From: one.At.Add(-time.Hour), To: one.At.Add(time.Second)},
	}
}

func TestDeliveriesOfATenant(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		_, _ = b.deliveredSome("b")
		all, _ := b.deliveredSome("a")
		require.Len(t, all, 18)
		tried := map[string]bool{"Limit": true, "Cursor": true}
		for name, f := range deliveryFilters(all[7]) {
			var want, got []string
			for _, d := range all {
				if chosen(d, f) {
					want = append(want, d.ID)
				}
			}
			require.Equal(t, name == "no such host", len(want) == 0, name)
			for member, value := range reflect.ValueOf(f).Fields() {
				tried[member.Name] = tried[member.Name] || !value.IsZero()
			}
			f.Limit = 4
			for more := true; more; more = f.Cursor != "" {
				page, err := b.TenantDeliveries(t.Context(), "a", f)
				require.NoError(t, err)
				for _, d := range page.Items {
					got = append(got, d.ID)
					i := slices.IndexFunc(all, func(o notice.TenantDelivery) bool { return o.ID == d.ID })
					require.Equal(t, []any{all[i].At, all[i].Number, all[i].State, all[i].Subscription.Host, all[i].Attempts}, []any{d.At, d.Number, d.State, d.Subscription.Host, d.Attempts})
					require.Empty(t, d.Body)
				}
				f.Cursor = page.Next
			}
			require.Equal(t, want, got, name)
			for _, most := range []int{2, 100} {
				total, err := b.CountDeliveries(t.Context(), "a", f, most)
				require.NoError(t, err)
				require.Equal(t, ticket.Total{N: min(most, len(want)), More: len(want) > most}, total, name)
			}
		}
		for member := range reflect.TypeFor[notice.DeliveryFilter]().Fields() {
			require.True(t, tried[member.Name], "the filter %s is not tried", member.Name)
		}
		one, err := b.TenantDelivery(t.Context(), "a", all[3].ID)
		require.NoError(t, err)
		require.Equal(t, all[3].DeliveryRecord, one.DeliveryRecord)
		require.NotEmpty(t, one.Body)
		_, err = b.TenantDelivery(t.Context(), "b", all[3].ID)
		require.True(t, ticket.Is(err, ticket.NotFound))
		for field, f := range map[string]notice.DeliveryFilter{"state": {States: []notice.DeliveryState{"lost"}}, "to": {From: epoch, To: epoch}, "cursor": {Cursor: "x"}} {
			_, err = b.TenantDeliveries(t.Context(), "a", f)
			require.Equal(t, field, ticket.AsError(err).Field)
		}
		stats, err := b.DeliveryStats(t.Context(), all[0].Lane.Subscription, epoch)
		require.NoError(t, err)
		require.Equal(t, 3, stats.Sent+stats.Failed)
		require.Zero(t, stats.Pending+stats.Retrying+stats.Held)
	})
}

// What is over is found at the host that it went to, though its address has moved since; what is not over where its address is.
func TestWhatIsOverIsFoundAtItsHost(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		all, _ := b.deliveredSome("a")
		count := func(host string, states ...notice.DeliveryState) int {
			t.Helper()
			f := notice.DeliveryFilter{Host: host, States: states}
			page, err := b.TenantDeliveries(t.Context(), "a", f)
			require.NoError(t, err)
			total, err := b.CountDeliveries(t.Context(), "a", f, 100)
			require.NoError(t, err)
			require.Len(t, page.Items, total.N)
			return total.N
		}
		failed, sent, rest := count("two.example.com", notice.Failed), count("two.example.com", notice.Sent), count("two.example.com", notice.Waiting...)
		require.Positive(t, failed*sent)
		_, err := b.raw().Exec(`UPDATE subscriptions SET url = 'https://three.example.com/a', host = 'three.example.com' WHERE host = 'two.example.com'`)
		require.NoError(t, err)
		require.Equal(t, []int{failed, sent, failed + sent, 0}, []int{count("two.example.com", notice.Failed), count("two.example.com", notice.Sent),
			count("two.example.com", notice.Failed, notice.Sent), count("two.example.com", notice.Waiting...)})
		require.Equal(t, []int{0, 0, rest}, []int{count("three.example.com", notice.Failed), count("three.example.com", notice.Sent), count("three.example.com", notice.Waiting...)})
		overview := b.deliveriesTold("a", "moved")
		for _, h := range overview {
			require.Equal(t, []int{h.Failed, h.Arrived}, []int{count(h.Host, notice.Failed), count(h.Host, notice.Sent)}, "a number of the overview is that of the list behind it")
		}
		require.NotEmpty(t, all)
		again, err := b.RedeliverFilter(t.Context(), "a", notice.DeliveryFilter{Host: "two.example.com", States: []notice.DeliveryState{notice.Failed}}, true)
		require.NoError(t, err)
		require.Equal(t, failed, again.Total)
	})
}

// What a filter counts is what is delivered again, whoever it was for.
func TestAFilterIsDeliveredAgain(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		all, _ := b.deliveredSome("a")
		b.clock.pass(time.Minute)
		f := notice.DeliveryFilter{States: []notice.DeliveryState{notice.Failed}, Host: "one.example.com", From: all[len(all)-1].At, To: all[0].At}
		want := map[string]bool{}
		for _, d := range all {
			if chosen(d, f) {
				want[d.ID] = true
			}
		}
		require.NotEmpty(t, want)
		counted, err := b.CountDeliveries(t.Context(), "a", f, 1000)
		require.NoError(t, err)
		dry, err := b.RedeliverFilter(t.Context(), "a", f, true)
		require.NoError(t, err)
		require.Equal(t, []int{len(want), len(want)}, []int{counted.N, dry.Total})
		require.Empty(t, b.pending())

		begun, err := b.RedeliverFilter(t.Context(), "a", f, false)
		require.NoError(t, err)
		require.Equal(t, len(want), begun.Total)
		for _, r := range begun.Begun {
			for range 2 {
				b.goOn(r, 100, 100)
			}
		}
		got := map[string]bool{}
		for _, w := range b.pending() {
			got[w.Delivery.ID] = true
		}
		require.Equal(t, want, got)

		for field, f := range map[string]notice.DeliveryFilter{"state": {}, "ticket": {States: f.States, TicketID: 1}} {
			_, err = b.RedeliverFilter(t.Context(), "a", f, true)
			require.Equal(t, field, ticket.AsError(err).Field)
		}
		of, err := b.RedeliverFilter(t.Context(), "b", f, true)
		require.NoError(t, err)
		require.Zero(t, of.Total)
	})
}

func TestDeliveriesOfATenantAreFoundByIndexes(t *testing.T) {
	t.Parallel()
	b := crowdedToLookAt(t)
	one := notice.TenantDelivery{At: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC), DeliveryRecord: notice.DeliveryRecord{Delivery: notice.Delivery{Lane: notice.Lane{Subscription: "sub-77", TicketID: 77}}}}
	for name, f := range deliveryFilters(one) {
		for _, tenant := range []string{"a", "c"} {
			query, args, err := outbox.FilterQuery(tenant, f)
			require.NoError(t, err)
			plan := planOf(t, b.raw(), query, append(args, ticket.DefaultPage+1)...)
			require.NotContains(t, plan, "Seq Scan", "%s\n%s", name, plan)
			if tenant == "a" && (name == "failed at a host" || name == "sent to a host") {
				require.Contains(t, plan, "deliveries_at_host", "%s\n%s", name, plan)
				require.NotContains(t, plan, "Sort", "%s\n%s", name, plan)
			}
			_, err = b.TenantDeliveries(t.Context(), tenant, f)
			require.NoError(t, err)
			_, err = b.CountDeliveries(t.Context(), tenant, f, ticket.MaxTotal)
			require.NoError(t, err)
		}
	}
}
