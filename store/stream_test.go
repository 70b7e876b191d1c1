package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/notice"
	"signalbox/store/outbox"
	"signalbox/ticket"
)

// seed is the event of seed 003's sample.
func seed() notice.Published {
	return notice.Published{RequestID: "b372be68-6fa6-4590-b927-a4096e6a05e6", Source: "a", Topic: "gs", Type: "cert", Status: "1", Key: "a.gs.cert.1",
		Changes: []string{"id1", "id2"}}
}

// follow adds a lasting subscription of tenant a.
func (b *bench) follow(f notice.Filter) notice.Subscription {
	b.t.Helper()
	return b.followAs("a", notice.FormatEvent, f)
}

func (b *bench) followAs(tenant string, format notice.Format, f notice.Filter) notice.Subscription {
	b.t.Helper()
	sub, err := b.Subscribe(b.t.Context(), notice.Subscription{Tenant: tenant, URL: hook, Format: format, Profile: notice.Standard, Filter: f})
	require.NoError(b.t, err)
	return sub
}

func (b *bench) publish(p notice.Published) {
	b.t.Helper()
	require.NoError(b.t, b.Publish(b.t.Context(), "a", "demo", p))
}

// bodies are what a subscription is owed, oldest first.
func (b *bench) bodies(sub notice.Subscription) (list []string) {
	b.t.Helper()
	for _, r := range b.deliveries(sub) {
		list = append(list, string(r.Body))
	}
	return list
}

func (b *bench) amend(sub notice.Subscription, state notice.SubscriptionState) {
	b.t.Helper()
	_, err := b.Amend(b.t.Context(), sub.Tenant, sub.ID, func(s notice.Subscription) (notice.Subscription, error) {
		s.State = state
		return s, nil
	})
	require.NoError(b.t, err)
}

func TestPublishedEventsReachWhoFollowsThem(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		all, exact, prefix := b.follow(notice.Filter{}), b.follow(notice.Filter{Source: "a", Topic: "gs", Type: "cert", Status: "1", Key: "a.gs.cert.1"}), b.follow(notice.Filter{Key: "a.gs.*"})
		other, stranger := b.follow(notice.Filter{Source: "b"}), b.followAs("b", notice.FormatEvent, notice.Filter{})
		hub := b.followAs("a", notice.FormatPublish, notice.Filter{})
		b.publish(seed())
		want := `{"event_source":"a","event_topic":"gs","event_type":"cert","event_status":"1","event_key":"a.gs.cert.1","changes":["id1","id2"],"request_id":"b372be68-6fa6-4590-b927-a4096e6a05e6"}`
		for _, sub := range []notice.Subscription{all, exact, prefix} {
			require.Equal(t, []string{want}, b.bodies(sub))
		}
		require.Equal(t, []string{strings.Replace(want, `,"request_id":"b372be68-6fa6-4590-b927-a4096e6a05e6"`, "", 1)}, b.bodies(hub))
		require.Empty(t, b.bodies(other))
		require.Empty(t, b.bodies(stranger))
		works := b.pending()
		require.Len(t, works, 4)
		for _, w := range works {
			require.Equal(t, outbox.StreamLane("a", "a.gs.cert.1"), w.Delivery.Lane.TicketID)
			require.Equal(t, "cert", w.Delivery.Type)
			require.True(t, strings.HasPrefix(w.Subscription.Secret, "whsec_"))
			require.Empty(t, w.Subscription.Older)
		}
		require.Equal(t, 1, b.count(`SELECT COUNT(*) FROM stream WHERE tenant = 'a' AND app = 'demo' AND key = 'a.gs.cert.1' AND changes = '["id1","id2"]'`))
		nobodys := seed()
		nobodys.Source = "nobody"
		require.NoError(t, b.Publish(t.Context(), "c", "demo", nobodys))
		require.Equal(t, 1, b.count(`SELECT COUNT(*) FROM stream WHERE tenant = 'c'`), "kept although nobody follows")
	})
}

func TestAnEventAndWhatItOwesAreOneTransaction(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		sub := b.follow(notice.Filter{})
		op := b.operation("key")
		failing := errors.New("no")
		_, _, err := b.ledger.Transact(t.Context(), op, func(ctx context.Context) (desk.Answer, error) {
			require.NoError(t, b.Publish(ctx, "a", "demo", seed()))
			return desk.Answer{}, failing
		})
		require.ErrorIs(t, err, failing)
		require.Zero(t, b.count(`SELECT COUNT(*) FROM stream`))
		require.Empty(t, b.bodies(sub))
		for range 2 {
			_, _, err = b.ledger.Transact(t.Context(), op, func(ctx context.Context) (desk.Answer, error) {
				return desk.Answer{Status: 200, Body: json.RawMessage(`{}`)}, b.Publish(ctx, "a", "demo", seed())
			})
			require.NoError(t, err)
		}
		require.Equal(t, 1, b.count(`SELECT COUNT(*) FROM stream`), "the second was answered from the first")
		require.Len(t, b.bodies(sub), 1)
	})
}

func TestTicketsPublishIntoTheStream(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		all, closings := b.follow(notice.Filter{Source: "signalbox"}), b.follow(notice.Filter{Topic: "ticket", Type: "status", Status: "CLOSED"})
		b.followAs("b", notice.FormatEvent, notice.Filter{})
		d := draft("x")
		d.Callback = &ticket.Callback{URL: hook, Format: string(notice.FormatIssue), Profile: notice.Minutely}
		s := b.opened("a", d)
		b.act(s, ticket.Command{Action: ticket.Accept})
		first := b.id()
		b.act(s, ticket.Command{Action: ticket.Relate, Relation: &ticket.Relation{Type: "manifest", Content: []string{"1"}}, Operation: first})
		b.act(s, ticket.Command{Action: ticket.Say, Message: &ticket.Message{ID: "m", Author: "li", Content: "x"}})
		b.act(s, ticket.Command{Action: ticket.Close})
		b.project(s, s.events...) // again: nothing is owed twice

		var got []string
		seen := map[string]bool{}
		for _, body := range b.bodies(all) {
			var e struct {
				Source  string   `json:"event_source"`
				Topic   string   `json:"event_topic"`
				Type    string   `json:"event_type"`
				Status  string   `json:"event_status"`
				Key     string   `json:"event_key"`
				Changes []string `json:"changes"`
				Request string   `json:"request_id"`
			}
			require.NoError(t, json.Unmarshal([]byte(body), &e))
			require.Equal(t, []string{"signalbox", "ticket", "ticket." + s.ticket.Number}, []string{e.Source, e.Topic, e.Key})
			require.Equal(t, []string{s.ticket.Number}, e.Changes)
			require.Len(t, e.Request, 36)
			require.False(t, seen[e.Request])
			seen[e.Request] = true
			got = append(got, e.Type+" "+e.Status)
		}
		require.Equal(t, []string{"status OPEN", "node acknowledged", "relations OPEN", "conversation OPEN", "status CLOSED"}, got)
		require.True(t, seen[first], "the operation that caused it")
		require.Len(t, b.bodies(closings), 1)
		for _, r := range b.deliveries(all) {
			require.Equal(t, s.ticket.ID, r.Lane.TicketID, "the ticket's own lane")
		}
		registered, _, err := b.Registered(t.Context(), s.ticket.ID, "", 0)
		require.NoError(t, err)
		require.Len(t, b.bodies(registered[0].Subscription), 3, "who follows the one ticket is told in its own format")
		require.Zero(t, b.count(`SELECT COUNT(*) FROM stream`), "the ticket's events are kept already")
	})
}

func TestLastingSubscriptionsAreTheirTenants(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		sub := b.follow(notice.Filter{Source: "a", Key: "x*"})
		require.True(t, strings.HasPrefix(sub.Secret, "whsec_"))
		require.Equal(t, notice.Active, sub.State)
		r, err := b.Registration(t.Context(), notice.Owner{Tenant: "a"}, sub.ID)
		require.NoError(t, err)
		require.Empty(t, r.Secret)
		sub.Secret = ""
		require.Equal(t, sub, r.Subscription)
		s := b.opened("a", draft("x"))
		own, err := b.Register(t.Context(), s.ticket, notice.Subscription{URL: hook})
		require.NoError(t, err)

		notFound := func(err error) { t.Helper(); require.True(t, ticket.Is(err, ticket.NotFound), "%v", err) }
		for _, c := range []struct{ tenant, id string }{{"b", sub.ID}, {"a", "no such"}, {"a", own.ID}} {
			_, err := b.Registration(t.Context(), notice.Owner{Tenant: c.tenant}, c.id)
			notFound(err)
			_, err = b.Amend(t.Context(), c.tenant, c.id, func(s notice.Subscription) (notice.Subscription, error) { return s, nil })
			notFound(err)
			_, err = b.Rotate(t.Context(), notice.Owner{Tenant: c.tenant}, c.id)
			notFound(err)
			_, err = b.Try(t.Context(), c.tenant, "demo", c.id, notice.OfTest(c.id, "r"))
			notFound(err)
			notFound(b.Redeliver(t.Context(), notice.Owner{Tenant: c.tenant}, c.id, "d"))
			notFound(b.Unsubscribe(t.Context(), notice.Owner{Tenant: c.tenant}, c.id))
		}
		notFound(b.Redeliver(t.Context(), notice.Owner{Tenant: "a"}, sub.ID, "no such"))
		require.Zero(t, b.count(`SELECT COUNT(*) FROM stream`), "a test that was refused leaves nothing")
		list, next, err := b.Subscriptions(t.Context(), "b", "", "", 0)
		require.NoError(t, err)
		require.Empty(t, list)
		require.Empty(t, next)

		require.NoError(t, b.Unsubscribe(t.Context(), notice.Owner{Tenant: "a"}, sub.ID))
		_, err = b.Registration(t.Context(), notice.Owner{Tenant: "a"}, sub.ID)
		notFound(err)
		p := seed()
		p.Key = "xy"
		b.publish(p)
		require.Empty(t, b.bodies(sub))
	})
}

func TestLastingSubscriptionsAreListedInPages(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		var want []string
		for i := range 7 {
			sub := b.follow(notice.Filter{Topic: fmt.Sprint(i)})
			if i == 3 {
				b.amend(sub, notice.Paused)
			}
			if i%2 == 0 {
				b.clock.pass(time.Second) // some at the same moment
			}
			want = append(want, sub.ID)
		}
		var got []string
		for cursor := ""; ; {
			list, next, err := b.Subscriptions(t.Context(), "a", "", cursor, 2)
			require.NoError(t, err)
			for _, sub := range list {
				require.Empty(t, sub.Secret)
				got = append(got, sub.ID)
			}
			if cursor = next; next == "" {
				break
			}
		}
		require.ElementsMatch(t, want[5:], got[:2], "newest first")
		require.ElementsMatch(t, want, got)
		list, _, err := b.Subscriptions(t.Context(), "a", notice.Paused, "", 10)
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.Equal(t, "3", list[0].Filter.Topic)
		_, _, err = b.Subscriptions(t.Context(), "a", "", "?", 10)
		require.True(t, ticket.Is(err, ticket.Invalid))
	})
}

func TestLastingSubscriptionsAreListedWithWhatDidNotArrive(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		sub := b.follow(notice.Filter{Topic: "gs"})
		b.clock.pass(time.Second)
		other := b.follow(notice.Filter{Topic: "nothing"})
		b.amend(other, notice.Paused)
		p := seed()
		p.Topic = "gs"
		for range 3 {
			b.publish(p)
		}
		list, next, err := b.Lasting(t.Context(), "a", notice.LastingFilter{}, "", 0)
		require.NoError(t, err)
		require.Empty(t, next)
		require.Len(t, list, 2)
		require.Equal(t, []any{other.ID, 0}, []any{list[0].ID, list[0].Waiting})
		require.Equal(t, []any{sub.ID, 3, 0, 0}, []any{list[1].ID, list[1].Waiting, list[1].Held, list[1].Failed})
		ids := b.deliveries(sub)
		_, err = b.raw().ExecContext(t.Context(), `UPDATE deliveries SET state = 'failed' WHERE id = '`+ids[0].ID+`'`)
		require.NoError(t, err)
		_, err = b.raw().ExecContext(t.Context(), `UPDATE deliveries SET state = 'held' WHERE id = '`+ids[1].ID+`'`)
		require.NoError(t, err)
		list, _, err = b.Lasting(t.Context(), "a", notice.LastingFilter{State: notice.Active}, "", 0)
		require.NoError(t, err)
		require.Equal(t, []any{1, sub.ID, 1, 1, 1}, []any{len(list), list[0].ID, list[0].Waiting, list[0].Held, list[0].Failed})
		first, next, err := b.Lasting(t.Context(), "a", notice.LastingFilter{}, "", 1)
		require.NoError(t, err)
		second, last, err := b.Lasting(t.Context(), "a", notice.LastingFilter{}, next, 1)
		require.NoError(t, err)
		require.Equal(t, []string{other.ID, sub.ID, ""}, []string{first[0].ID, second[0].ID, last})
		for part, n := range map[string]int{strings.ToUpper(sub.URL[8:14]): 2, "%": 0, "_": 0, "!": 0, "\x00": 2, "no such": 0} {
			list, _, err = b.Lasting(t.Context(), "a", notice.LastingFilter{Address: part}, "", 0)
			require.NoError(t, err)
			require.Len(t, list, n, part)
		}
		list, _, err = b.Lasting(t.Context(), "b", notice.LastingFilter{}, "", 0)
		require.NoError(t, err)
		require.Empty(t, list)
	})
}

func TestATenantHasOnlySoManySubscriptions(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		_, err := b.raw().Exec(fmt.Sprintf(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
			INSERT INTO subscriptions (id, tenant, ticket_id, url, format, profile, secret, state, reason, created_at)
			SELECT 'x' || i, 'a', 0, 'https://example.com', 'event', 'standard', '', 'paused', '', '2026-01-01 00:00:00.000000+00:00' FROM n`, notice.MaxSubscriptions-1))
		require.NoError(t, err)
		b.follow(notice.Filter{})
		_, err = b.Subscribe(t.Context(), notice.Subscription{Tenant: "a", URL: hook, Format: notice.FormatEvent})
		require.True(t, ticket.Is(err, ticket.TooMany))
		require.ErrorContains(t, err, "10000")
		b.followAs("b", notice.FormatEvent, notice.Filter{})
		require.NoError(t, b.Unsubscribe(t.Context(), notice.Owner{Tenant: "a"}, "x1"))
		b.follow(notice.Filter{})
	})
}

func TestAPausedSubscriptionGoesOnWhereItStopped(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		sub, running := b.follow(notice.Filter{}), b.follow(notice.Filter{})
		numbered := func(n int) notice.Published {
			p := seed()
			p.Status = fmt.Sprint(n)
			return p
		}
		b.publish(numbered(1))
		b.publish(numbered(2))
		b.record(b.tried(b.of(sub, b.pending())[0], notice.Retrying)) // so its lane is retrying
		b.amend(sub, notice.Paused)
		require.Equal(t, []notice.DeliveryState{notice.Held, notice.Held}, states(b.deliveries(sub)))
		b.publish(numbered(3))
		b.clock.pass(time.Second)
		s := b.opened("a", draft("x"))
		r, err := b.Registration(t.Context(), notice.Owner{Tenant: "a"}, sub.ID)
		require.NoError(t, err)
		require.Equal(t, notice.Paused, r.State)
		require.Equal(t, map[notice.DeliveryState]int{notice.Held: 4}, r.Counts)
		require.Empty(t, b.of(sub, b.pending()))
		require.Len(t, b.of(running, b.pending()), 4, "others are told all the same")
		for _, d := range b.deliveries(sub) {
			require.NotNil(t, d.EndedAt)
		}
		_, more, err := b.outbox.Next(t.Context(), notice.Lane{Subscription: sub.ID, TicketID: outbox.StreamLane("a", "a.gs.cert.1")})
		require.NoError(t, err)
		require.False(t, more)
		_, err = b.Try(t.Context(), "a", "demo", sub.ID, notice.OfTest(sub.ID, "r"))
		require.True(t, ticket.Is(err, ticket.Conflict))
		require.ErrorContains(t, err, "paused")
		require.True(t, ticket.Is(b.Redeliver(t.Context(), notice.Owner{Tenant: "a"}, sub.ID, b.deliveries(sub)[0].ID), ticket.Conflict))

		b.amend(sub, notice.Active)
		works := b.of(sub, b.pending())
		require.Len(t, works, 4)
		lanes := map[int64][]string{}
		for _, w := range works {
			require.Zero(t, w.Delivery.Tries)
			require.False(t, w.Delivery.NextTry.After(b.clock.Now()), "due at once")
			require.Nil(t, w.Delivery.EndedAt)
			require.Nil(t, w.Subscription.FailingSince)
			lanes[w.Delivery.Lane.TicketID] = append(lanes[w.Delivery.Lane.TicketID], string(w.Delivery.Body))
		}
		require.Equal(t, b.bodies(running)[:3], lanes[outbox.StreamLane("a", "a.gs.cert.1")], "in order")
		require.Len(t, lanes[s.ticket.ID], 1)
	})
}

// of chooses the works of one subscription.
func (b *bench) of(sub notice.Subscription, works []notice.Work) []notice.Work {
	return slices.DeleteFunc(slices.Clone(works), func(w notice.Work) bool { return w.Subscription.ID != sub.ID })
}

// A try of a lane's workflow goes on while its subscription is paused and resumed. What is released then would be tried beside it.
func TestWhatIsResumedDuringATryWaitsForItsEnd(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		sub := b.follow(notice.Filter{})
		b.publish(seed())
		b.publish(seed())
		b.record(b.tried(b.pending()[0], notice.Retrying))
		lane := notice.Lane{Subscription: sub.ID, TicketID: outbox.StreamLane("a", "a.gs.cert.1")}
		b.clock.pass(time.Minute)
		flying, more, err := b.outbox.Next(t.Context(), lane) // its try begins
		require.NoError(t, err)
		require.True(t, more)
		b.clock.pass(time.Second)
		b.amend(sub, notice.Paused)
		b.clock.pass(time.Second)
		b.amend(sub, notice.Active)
		turn := "turn:" + sub.ID
		for range 4 {
			require.Empty(t, b.sendable(), "nothing is tried beside it")
			require.Equal(t, []string{turn}, b.rest(), "but it is not forgotten")
			b.publish(seed()) // held, and no reason to wait any longer
			require.Zero(t, b.goOnWith(turn).Done)
			b.clock.pass(4 * time.Second)
		}
		b.record(b.tried(flying, notice.Retrying)) // it ends, and says nothing of what is to come
		require.Equal(t, notice.Held, b.deliveries(sub)[0].State)
		b.clock.pass(4 * time.Second)
		require.Equal(t, notice.Redelivered, b.goOnWith(turn).State)
		works := b.sendable()
		require.Len(t, works, 6)
		require.Zero(t, works[0].Delivery.Tries, "a new round")
		require.Nil(t, works[0].Delivery.FirstTry)
		_, more, err = b.outbox.Next(t.Context(), lane)
		require.NoError(t, err)
		require.False(t, more, "the lane has nothing to go on with")
		b.consistent()

		b.record(b.tried(works[0], notice.Retrying))
		_, more, err = b.outbox.Next(t.Context(), lane)
		require.NoError(t, err)
		require.True(t, more)
		b.consistent()
	})
}

func TestADroppedSubscriptionIsResumed(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		sub := b.follow(notice.Filter{})
		other := seed()
		other.Key = "other"
		for _, p := range []notice.Published{seed(), seed(), other} {
			b.publish(p)
			b.clock.pass(time.Millisecond) // of what happens at one moment in two lanes, either is first
		}
		works := b.pending()
		last := b.tried(works[0], notice.Failed)
		last.Drop = "the receiver answered 410 Gone"
		b.record(last)
		r, err := b.Registration(t.Context(), notice.Owner{Tenant: "a"}, sub.ID)
		require.NoError(t, err)
		require.Equal(t, notice.Dropped, r.State)
		require.Equal(t, last.Drop, r.Reason)
		require.Equal(t, map[notice.DeliveryState]int{notice.Held: 2, notice.Failed: 1}, r.Counts)
		require.NotNil(t, r.FailingSince)
		for i := range 3 {
			p := seed()
			p.Status = fmt.Sprint("later ", i)
			b.publish(p)
		}
		require.Empty(t, b.pending())
		require.Equal(t, []notice.DeliveryState{notice.Failed, notice.Held, notice.Held, notice.Held, notice.Held, notice.Held}, states(b.deliveries(sub)), "what comes is kept")
		var want []string
		for _, d := range b.deliveries(sub) {
			if d.State == notice.Held && d.Lane == works[0].Delivery.Lane {
				want = append(want, d.ID)
			}
		}

		b.amend(sub, notice.Active)
		r, err = b.Registration(t.Context(), notice.Owner{Tenant: "a"}, sub.ID)
		require.NoError(t, err)
		require.Equal(t, notice.Active, r.State)
		require.Empty(t, r.Reason)
		require.Nil(t, r.EndedAt)
		require.Nil(t, r.FailingSince)
		require.Equal(t, map[notice.DeliveryState]int{notice.Pending: 5, notice.Failed: 1}, r.Counts)
		b.record(last) // a lost answer, recorded again: what it dropped is taken up since
		r, err = b.Registration(t.Context(), notice.Owner{Tenant: "a"}, sub.ID)
		require.NoError(t, err)
		require.Equal(t, notice.Active, r.State)
		require.Nil(t, r.FailingSince)
		var got []string
		for _, w := range b.pending() {
			if w.Delivery.Lane == works[0].Delivery.Lane {
				got = append(got, w.Delivery.ID)
			}
		}
		require.Equal(t, want, got, "in the order in which it happened")
		require.NoError(t, b.Redeliver(t.Context(), notice.Owner{Tenant: "a"}, sub.ID, works[0].Delivery.ID))
		require.Len(t, b.pending(), 6)
		require.True(t, ticket.Is(b.Redeliver(t.Context(), notice.Owner{Tenant: "a"}, sub.ID, works[0].Delivery.ID), ticket.Conflict), "it is being tried")
	})
}

func TestEventsWithOneKeyStayInOrder(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		sub := b.follow(notice.Filter{})
		var want []string
		for i := range 6 {
			p := seed()
			p.Status, p.Key = fmt.Sprint(i), ""
			b.publish(p)
			want = append(want, p.Status)
			b.clock.pass(-time.Second) // another process, whose clock is behind
		}
		var got []string
		for i := range want {
			w := b.pending()[0]
			if i == 2 {
				b.record(b.tried(w, notice.Retrying))
				break
			}
			got = append(got, w.Delivery.Type)
			b.record(b.tried(w, notice.Sent))
		}
		lane := notice.Lane{Subscription: sub.ID, TicketID: outbox.StreamLane("a", "")}
		for range 4 {
			w, more, err := b.outbox.Next(t.Context(), lane)
			require.NoError(t, err)
			require.True(t, more)
			got = append(got, w.Delivery.Type)
			b.record(b.tried(w, notice.Sent))
		}
		require.Len(t, got, 6)
		var order []string
		for _, body := range b.bodies(sub) {
			order = append(order, between(body, `"event_status":"`, `"`))
		}
		require.Equal(t, want, order)
		for _, d := range b.deliveries(sub) {
			require.Equal(t, notice.Sent, d.State)
		}
	})
}

func between(text, from, to string) string {
	_, rest, _ := strings.Cut(text, from)
	middle, _, _ := strings.Cut(rest, to)
	return middle
}

func TestASecretIsReplacedWhileTheOneBeforeStillSigns(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		sub := b.follow(notice.Filter{})
		b.publish(seed())
		secrets := []string{sub.Secret}
		loaded := func() notice.Subscription { t.Helper(); return b.pending()[0].Subscription }
		for range 2 {
			b.clock.pass(time.Hour)
			secret, err := b.Rotate(t.Context(), notice.Owner{Tenant: "a"}, sub.ID)
			require.NoError(t, err)
			require.NoError(t, notice.CheckSecret("secret", secret))
			secrets = append(secrets, secret)
		}
		require.Equal(t, secrets[2], loaded().Secret)
		require.Equal(t, secrets[:2], loaded().Older)
		require.Zero(t, b.count(`SELECT COUNT(*) FROM subscriptions WHERE older LIKE '%whsec%'`), "sealed")
		b.clock.pass(23 * time.Hour)
		require.Equal(t, secrets[1:2], loaded().Older, "each for 24 hours")
		b.clock.pass(time.Hour)
		require.Empty(t, loaded().Older)

		for range 4 {
			_, err := b.Rotate(t.Context(), notice.Owner{Tenant: "a"}, sub.ID)
			require.NoError(t, err)
		}
		_, err := b.Rotate(t.Context(), notice.Owner{Tenant: "a"}, sub.ID)
		require.True(t, ticket.Is(err, ticket.TooMany))
	})
}

func TestATestReachesOneSubscriptionAlone(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		sub, other := b.follow(notice.Filter{Source: "never"}), b.follow(notice.Filter{})
		id, err := b.Try(t.Context(), "a", "demo", sub.ID, notice.OfTest(sub.ID, "3d8e14a2-0f52-4f13-9f0a-0f4b0a7a7a11"))
		require.NoError(t, err)
		records := b.deliveries(sub)
		require.Len(t, records, 1)
		require.Equal(t, id, records[0].ID)
		require.Equal(t, `{"event_source":"signalbox","event_topic":"subscription","event_type":"test","event_status":"OK","event_key":"subscription.`+sub.ID+
			`","changes":["`+sub.ID+`"],"request_id":"3d8e14a2-0f52-4f13-9f0a-0f4b0a7a7a11"}`, string(records[0].Body))
		require.Empty(t, b.deliveries(other))
		require.Equal(t, 1, b.count(`SELECT COUNT(*) FROM stream WHERE topic = 'subscription'`))
	})
}

func TestAnswersThatContainASecretAreEncrypted(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		body := `{"secret":"whsec_x"}`
		op := b.operation("key")
		tell := func(context.Context) (desk.Answer, error) {
			return desk.Answer{Status: 200, Body: json.RawMessage(body), Secret: true}, nil
		}
		for i := range 2 {
			recorded, fresh, err := b.ledger.Transact(t.Context(), op, tell)
			require.NoError(t, err)
			require.Equal(t, i == 0, fresh)
			require.Equal(t, body, string(recorded.Answer.Body), "the first answer again, byte for byte")
		}
		require.Zero(t, b.count(`SELECT COUNT(*) FROM operations WHERE body LIKE '%whsec%'`))
	})
}

// crew does what publishers, workers and workflows of lanes do, all at once, until the publishers are done.
func (b *bench) crew(publishers, events int, others ...func()) {
	var publishing sync.WaitGroup
	check := func(err error) {
		if err != nil {
			b.t.Error(err)
		}
	}
	var tries atomic.Int64
	drain := func() { // every second try fails
		parts, err := b.outbox.Partitions(b.t.Context())
		check(err)
		for _, part := range parts {
			works, err := b.outbox.Pending(b.t.Context(), part, nil, 10)
			check(err)
			seen := map[notice.Lane]bool{}
			for _, w := range works {
				if !seen[w.Delivery.Lane] {
					seen[w.Delivery.Lane] = true
					check(b.outbox.SaveResults(b.t.Context(), []notice.Result{b.tried(w, []notice.DeliveryState{notice.Sent, notice.Retrying}[tries.Add(1)%2])}))
				}
			}
		}
	}
	lanes := func() {
		lanes, err := b.outbox.Retrying(b.t.Context(), notice.Lane{}, 100)
		check(err)
		for _, lane := range lanes {
			w, more, err := b.outbox.Next(b.t.Context(), lane)
			check(err)
			if more {
				check(b.outbox.SaveResults(b.t.Context(), []notice.Result{b.tried(w, notice.Sent)}))
			}
		}
	}
	step, done := alongside(1, append(others, drain, lanes, b.consistent)...)
	for k := range publishers {
		publishing.Go(func() {
			for i := range events {
				p := seed()
				p.Key, p.Status = fmt.Sprint(k%3), fmt.Sprint(i)
				check(b.Publish(b.t.Context(), "a", "demo", p))
				step()
			}
		})
	}
	publishing.Wait()
	done()
}

// consistent fails the test where something is pending in a retrying lane, or retrying in one that nobody goes on with.
func (b *bench) consistent() {
	b.t.Helper()
	lane := `EXISTS (SELECT 1 FROM lanes l WHERE l.subscription_id = d.subscription_id AND l.ticket_id = d.ticket_id)`
	for what, where := range map[string]string{
		"pending in a retrying lane":      `d.state = 'pending' AND ` + lane,
		"parked, and forgotten":           `d.state = 'parked' AND NOT ` + lane,
		"under way though it is paused":   `d.state IN ('pending', 'parked') AND EXISTS (SELECT 1 FROM subscriptions s WHERE s.id = d.subscription_id AND s.state <> 'active')`,
		"held though nothing is any more": `d.state = 'held' AND EXISTS (SELECT 1 FROM subscriptions s WHERE s.id = d.subscription_id AND s.state = 'active' AND s.turning = '')`,
	} {
		var n int
		if err := b.raw().QueryRow(`SELECT COUNT(*) FROM deliveries d WHERE ` + where).Scan(&n); err != nil || n > 0 {
			b.t.Errorf("%d are %s (%v)", n, what, err)
		}
	}
}

func TestPublishingAndRetryingAtOnce(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		const publishers, events = 9, 20
		for range 3 {
			b.follow(notice.Filter{})
		}
		b.crew(publishers, events)
		b.consistent()
		require.Equal(t, 3*publishers*events, b.count(`SELECT COUNT(*) FROM deliveries`))
		require.Equal(t, publishers*events/3, b.count(`SELECT MIN(seq) FROM stream_lanes`), "one after the other")
	})
}

func TestPublishingRetryingAndPausingAtOnce(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		const publishers, events = 6, 20
		sub, n := b.follow(notice.Filter{}), 0
		b.crew(publishers, events, func() {
			n++
			b.amend(sub, []notice.SubscriptionState{notice.Paused, notice.Active}[n%2])
		})
		b.consistent()
		require.Equal(t, publishers*events, b.count(`SELECT COUNT(*) FROM deliveries`))
	})
}

func TestPublishingRetryingAndDroppingAtOnce(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		const publishers, events = 6, 20
		sub, n := b.follow(notice.Filter{Source: "a"}), 0
		b.follow(notice.Filter{Source: "a"})
		b.crew(publishers, events, func() {
			if n++; n%2 == 0 {
				b.amend(sub, notice.Active)
				return
			}
			parts, err := b.outbox.Partitions(t.Context())
			if err != nil {
				t.Error(err)
			}
			for _, part := range parts {
				works, err := b.outbox.Pending(t.Context(), part, nil, 1)
				if err != nil {
					t.Error(err)
				}
				for _, w := range b.of(sub, works) {
					r := b.tried(w, notice.Failed)
					r.Drop = "gone"
					if err := b.outbox.SaveResults(t.Context(), []notice.Result{r}); err != nil {
						t.Error(err)
					}
				}
			}
		})
		b.consistent()
		require.Equal(t, 2*publishers*events, b.count(`SELECT COUNT(*) FROM deliveries`), "nothing that happened while it was dropped is missing")
		require.Positive(t, b.count(`SELECT COUNT(*) FROM stream WHERE type = 'address_dropped'`))
	})
}

func TestOldEventsAreForgotten(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		sub := b.follow(notice.Filter{})
		for i := range 3 {
			p := seed()
			p.Key = fmt.Sprint(i)
			b.publish(p)
		}
		works := b.pending()
		for _, w := range works[1:] {
			b.record(b.tried(w, notice.Sent))
		}
		b.clock.pass(time.Hour)
		b.publish(seed())
		prune := func(before time.Time, want int64) {
			t.Helper()
			n, err := b.PruneStream(t.Context(), before, 2)
			require.NoError(t, err)
			require.Equal(t, want, n)
		}
		prune(epoch, 0)
		prune(epoch.Add(time.Minute), 2)
		prune(epoch.Add(time.Minute), 1)
		prune(epoch.Add(time.Minute), 0)
		require.Equal(t, 1, b.count(`SELECT COUNT(*) FROM stream`))
		require.Equal(t, 4, b.count(`SELECT COUNT(*) FROM stream_lanes`), "they have deliveries")
		_, err := b.PruneDeliveries(t.Context(), epoch.Add(time.Minute), 10)
		require.NoError(t, err)
		prune(epoch.Add(time.Minute), 0)
		require.Equal(t, 2, b.count(`SELECT COUNT(*) FROM stream_lanes`), "one that waits, and one that was used just now")
		require.Len(t, b.deliveries(sub), 2)
		p := seed()
		p.Key = "1"
		b.publish(p)
		require.Len(t, b.deliveries(sub), 3, "a lane that was forgotten is used again")
	})
}
