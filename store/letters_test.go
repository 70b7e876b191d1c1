package store_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/flow"
	"signalbox/notice"
	"signalbox/people"
	"signalbox/store"
	"signalbox/ticket"
)

// mailing has the bench's store tell people by mail.
func (b *bench) mailing() {
	s, err := store.Open(b.t.Context(), b.dsn, store.Options{MasterKey: masterKey, Now: b.clock.Now, PublicURL: "https://box.example.com", Mail: true})
	require.NoError(b.t, err)
	b.t.Cleanup(func() { require.NoError(b.t, s.Close()) })
	b.Store, b.ledger, b.outbox = s, s.Ledger(), s.Outbox
}

// people keeps persons of the tenant a: ada by mail and by Slack, bob in digests by mail, zoe not at all, gone who is not active; flo follows.
func (b *bench) crewOfLetters() {
	for _, p := range []people.Person{
		{ID: "ada", Name: "Ada", Active: true, Email: "ada@example.com", Language: "zh-CN", TimeZone: "Asia/Shanghai",
			Chats: []people.Chat{{Network: "slack", Address: "U1", Webhook: "https://hooks.example.com/T0/secret"}, {Network: "teams", Address: "ada@example.com"}}},
		{ID: "bob", Active: true, Email: "bob@example.com", Letters: people.Letters{When: people.InDigest, Minutes: 30}},
		{ID: "zoe", Active: true, Email: "zoe@example.com", Letters: people.Letters{When: people.Never}},
		{ID: "gone", Email: "gone@example.com"},
		{ID: "flo", Active: true, Email: "flo@example.com"},
	} {
		_, err := b.keep(p)
		require.NoError(b.t, err)
	}
}

const asking = `
key: ask
version: 1
name: Ask
service_type: request
nodes:
- {id: all, name: All, type: approval, processors: {persons: [ada, bob, zoe, gone, unknown]}, rule: all, next: done}
- {id: done, name: Done, type: end}
`

// asks opens a ticket that asks them all, and flo follows.
func (b *bench) asks() *story {
	def, faults := flow.Read([]byte(asking)).Check(nil)
	require.Empty(b.t, faults)
	d := draft("Please")
	d.Service, d.Definition, d.Followers, d.Opener = "ask", &def, []string{"flo"}, "opa"
	return b.opened("a", d)
}

// letters lists whom pending letters go to, and why.
func letters(works []notice.Work) (out []string) {
	for _, w := range works {
		out = append(out, string(w.Subscription.Format)+" "+w.Subscription.Person+" "+w.Delivery.Type)
	}
	slices.Sort(out)
	return out
}

func TestPeopleAreOwedLetters(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		b.mailing()
		b.crewOfLetters()
		s := b.asks()
		works := b.pending()
		require.Equal(t, []string{"mail ada asked", "slack ada asked"}, letters(works))
		for _, w := range works {
			require.Empty(t, w.Unsendable)
			require.Equal(t, s.ticket.ID, w.Delivery.Lane.TicketID)
			require.Equal(t, "Ada", w.Contact.Name)
			l, err := notice.ReadLetter(w.Delivery.Body)
			require.NoError(t, err)
			require.Equal(t, "zh", l.Language)
			require.Equal(t, "Asia/Shanghai", l.Zone)
			require.Equal(t, "https://box.example.com/ticket/"+s.ticket.Number, l.Items[0].URL)
			if w.Subscription.Format == notice.FormatSlack {
				require.Equal(t, notice.Contact{Name: "Ada", Address: "U1", Webhook: "https://hooks.example.com/T0/secret"}, w.Contact)
				require.Equal(t, "hooks.example.com", w.Subscription.Host)
			} else {
				require.Equal(t, notice.Contact{Name: "Ada", Address: "ada@example.com"}, w.Contact)
			}
		}
		b.cells(func(table, column, text string) {
			require.NotContains(t, text, "T0/secret", "%s.%s", table, column)
		})
		b.act(s, ticket.Command{Action: ticket.Say, Operator: "ada", Message: &ticket.Message{ID: "m", Author: "ada", Content: "@bob @ada @nobody"}})
		require.Equal(t, []string{"mail ada asked", "mail flo followed", "slack ada asked"}, letters(b.pending()), "bob waits for his digest, and of a lane the first comes first")

		list, _, err := b.Registered(t.Context(), s.ticket.ID, "", 0)
		require.NoError(t, err)
		require.Len(t, list, 4, "each way is shown with the ticket")
		for _, r := range list {
			if r.Person == "bob" {
				require.Equal(t, map[notice.DeliveryState]int{notice.Gathering: 2}, r.Counts)
			}
			if r.Format == notice.FormatSlack {
				require.Equal(t, "https://hooks.example.com/", r.URL)
			}
		}
		other := b.opened("a", draft("other"))
		none, _, err := b.Registered(t.Context(), other.ticket.ID, "", 0)
		require.NoError(t, err)
		require.Empty(t, none)
		_, err = b.Registration(t.Context(), notice.Owner{Tenant: "a", TicketID: other.ticket.ID}, list[0].ID)
		require.True(t, ticket.Is(err, ticket.NotFound))
		lasting, _, err := b.Subscriptions(t.Context(), "a", "", "", 0)
		require.NoError(t, err)
		require.Empty(t, lasting, "they are nobody's subscriptions")
	})
}

// TestWithoutAMailServerNobodyIsToldByMail, and nothing is kept for when there is one.
func TestWithoutAMailServerNobodyIsToldByMail(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		b.crewOfLetters()
		b.asks()
		require.Equal(t, []string{"slack ada asked"}, letters(b.pending()))
	})
}

// TestALetterIsDeliveredAgainByTheTicket by the same means as what addresses are told.
func TestALetterIsDeliveredAgainByTheTicket(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		b.mailing()
		b.crewOfLetters()
		s := b.asks()
		of := notice.Owner{Tenant: "a", TicketID: s.ticket.ID}
		works := b.pending()
		w := works[slices.IndexFunc(works, func(w notice.Work) bool { return w.Subscription.Format == notice.FormatMail })]
		require.Error(t, b.Redeliver(t.Context(), of, w.Subscription.ID, w.Delivery.ID), "it is still being tried")
		b.record(b.tried(w, notice.Failed))
		require.NoError(t, b.Redeliver(t.Context(), of, w.Subscription.ID, w.Delivery.ID))
		require.Contains(t, letters(b.pending()), "mail ada asked")
		b.record(b.tried(w, notice.Sent))
		items, _, err := b.Deliveries(t.Context(), of, w.Subscription.ID, "", 0)
		require.NoError(t, err)
		require.Equal(t, notice.Sent, items[0].State)
		require.Len(t, items[0].Attempts, 2)

		for what, err := range map[string]error{
			"delete": b.Unsubscribe(t.Context(), of, w.Subscription.ID),
			"rotate": func() error { _, err := b.Rotate(t.Context(), of, w.Subscription.ID); return err }(),
			"many": func() error {
				_, err := b.BeginRedelivery(t.Context(), of, w.Subscription.ID, notice.Selection{State: notice.Sent}, false)
				return err
			}(),
		} {
			require.NotNil(t, ticket.AsError(err), what)
		}
		again := b.asks()
		theirs, _, err := b.Deliveries(t.Context(), notice.Owner{Tenant: "a", TicketID: again.ticket.ID}, w.Subscription.ID, "", 0)
		require.NoError(t, err)
		require.Len(t, theirs, 1, "of another ticket another letter")
	})
}

// TestADigestTellsOfSeveralAtOnce, when the first has waited as long as was asked for.
func TestADigestTellsOfSeveralAtOnce(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		b.mailing()
		b.crewOfLetters()
		first := b.asks()
		b.clock.pass(500 * time.Millisecond)
		second := b.asks()
		of := notice.Owner{Tenant: "a", TicketID: first.ticket.ID}
		gathered := func() int {
			n, err := b.GatherDigests(t.Context(), 100)
			require.NoError(t, err)
			return n
		}
		waiting, item := b.told(second, "bob")
		_, err := b.TryNow(t.Context(), notice.Owner{Tenant: "a", TicketID: second.ticket.ID}, waiting, item)
		require.ErrorContains(t, err, "it waits for the digest")
		b.clock.pass(30*time.Minute - 1500*time.Millisecond)
		require.Zero(t, gathered())
		b.act(first, ticket.Command{Action: ticket.Say, Operator: "ada", Message: &ticket.Message{ID: "m", Author: "ada", Content: "@bob"}})
		b.clock.pass(time.Second)
		require.Equal(t, 1, gathered())
		require.Zero(t, gathered())
		works := b.pending()
		i := slices.IndexFunc(works, func(w notice.Work) bool { return w.Delivery.Type == "digest" })
		require.GreaterOrEqual(t, i, 0)
		digest := works[i]
		require.Equal(t, "bob", digest.Subscription.Person)
		require.Equal(t, "bob@example.com", digest.Contact.Address)
		l, err := notice.ReadLetter(digest.Delivery.Body)
		require.NoError(t, err)
		require.Len(t, l.Items, 3)
		require.Equal(t, []string{first.ticket.Number, second.ticket.Number, first.ticket.Number}, []string{l.Items[0].Number, l.Items[1].Number, l.Items[2].Number})
		items, _, err := b.Deliveries(t.Context(), of, digest.Subscription.ID, "", 0)
		require.NoError(t, err)
		require.Len(t, items, 2)
		for _, item := range items {
			require.Equal(t, notice.Digested, item.State)
			require.Equal(t, "is part of "+digest.Delivery.ID, item.Reason)
		}
		require.NoError(t, b.Redeliver(t.Context(), of, digest.Subscription.ID, items[0].ID), "by itself")
		require.Contains(t, letters(b.pending()), "mail bob mentioned")
	})
}

// TestADigestThatCannotBeMadeKeepsNoOtherFromBeingMade.
func TestADigestThatCannotBeMadeKeepsNoOtherFromBeingMade(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		b.mailing()
		b.crewOfLetters()
		for _, id := range []string{"dan", "zed"} {
			_, err := b.keep(people.Person{ID: id, Active: true, Email: id + "@example.com", Letters: people.Letters{When: people.InDigest, Minutes: 1}})
			require.NoError(t, err)
		}
		s := b.asks()
		b.act(s, ticket.Command{Action: ticket.Say, Operator: "ada", Message: &ticket.Message{ID: "m", Author: "ada", Content: "@dan @zed"}})
		bad, _ := b.told(s, "bob")
		_, err := b.raw().Exec(`UPDATE deliveries SET body = 'x' WHERE subscription_id = '` + bad + `'`)
		require.NoError(t, err)
		b.clock.pass(time.Hour)
		made, err := b.GatherDigests(t.Context(), 100)
		require.ErrorContains(t, err, bad)
		require.Equal(t, 2, made)
	})
}

// told gives the way in which a person is told of a ticket, and the latest delivery to it.
func (b *bench) told(s *story, person string) (way, delivery string) {
	list, _, err := b.Registered(b.t.Context(), s.ticket.ID, "", 0)
	require.NoError(b.t, err)
	for _, r := range list {
		if r.Person == person {
			items, _, err := b.Deliveries(b.t.Context(), notice.Owner{}, r.ID, "", 0)
			require.NoError(b.t, err)
			return r.ID, items[0].ID
		}
	}
	b.t.Fatal("nobody told ", person)
	return "", ""
}

// TestTheDirectoryHasTheAddress of what is still to be sent: corrected, removed, and given again once it was dropped.
func TestTheDirectoryHasTheAddress(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		b.mailing()
		b.crewOfLetters()
		s := b.asks()
		way := func(f notice.Format) notice.Work {
			works := b.pending()
			i := slices.IndexFunc(works, func(w notice.Work) bool { return w.Subscription.Format == f })
			require.GreaterOrEqual(t, i, 0)
			return works[i]
		}
		change := func(f func(p *people.Person)) {
			_, err := b.ChangePerson(t.Context(), "a", "hr", people.Key{ID: "ada"}, func(had people.PersonRecord, _ bool) (people.PersonRecord, error) {
				f(&had.Person)
				return had, nil
			})
			require.NoError(t, err)
		}
		change(func(p *people.Person) { p.Email = "ada@new.example.com" })
		require.Equal(t, "ada@new.example.com", way(notice.FormatMail).Contact.Address)
		require.Equal(t, "https://hooks.example.com/T0/secret", way(notice.FormatSlack).Contact.Webhook, "what was shown and kept again is what it was")

		r := b.tried(way(notice.FormatSlack), notice.Failed)
		r.Drop = "gone"
		b.record(r)
		b.act(s, ticket.Command{Action: ticket.Say, Operator: "bob", Message: &ticket.Message{ID: "m", Author: "bob", Content: "@ada"}})
		require.NotContains(t, strings.Join(letters(b.pending()), ","), "slack", "nothing is sent to what was dropped")
		change(func(p *people.Person) { p.Chats[0].Webhook = "https://other.example.com/secret" })
		for _, id := range b.rest() {
			b.goOnWith(id)
		}
		w := way(notice.FormatSlack)
		require.Equal(t, "mentioned", w.Delivery.Type, "what was held meanwhile")
		require.Equal(t, "https://other.example.com/secret", w.Contact.Webhook)
		require.Equal(t, "other.example.com", w.Subscription.Host)

		change(func(p *people.Person) { p.Email, p.Chats = "", nil })
		require.Contains(t, way(notice.FormatMail).Unsendable, "no e-mail address")
		require.Contains(t, way(notice.FormatSlack).Unsendable, "no webhook")
		require.NoError(t, b.RemovePerson(t.Context(), "a", "hr", people.Key{ID: "ada"}, nil))
		for _, id := range b.rest() {
			b.goOnWith(id)
		}
		require.NotContains(t, strings.Join(letters(b.pending()), ","), "ada")
		require.Positive(t, b.count(`SELECT COUNT(*) FROM deliveries WHERE state = 'cancelled'`))
		require.NoError(t, b.RemovePerson(t.Context(), "a", "hr", people.Key{ID: "bob"}, nil))
		b.clock.pass(time.Hour)
		_, err := b.GatherDigests(t.Context(), 100)
		require.NoError(t, err)
		require.Zero(t, b.count(`SELECT COUNT(*) FROM deliveries WHERE state IN ('gathering', 'digested')`), "nobody is left to be told")
	})
}

// An address that is corrected while what waited for the one before is still being held: all of it is held first, and then sent in order.
func TestAnAddressIsCorrectedWhileMuchIsHeld(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		b.mailing()
		b.crewOfLetters()
		b.asks()
		works := b.pending()
		sub := works[slices.IndexFunc(works, func(w notice.Work) bool { return w.Subscription.Format == notice.FormatSlack })].Subscription
		const n, lanes = 1600, 5
		b.heap(sub, notice.Pending, n, lanes)
		of := slices.DeleteFunc(b.of(sub, b.sendable()), func(w notice.Work) bool { return w.Delivery.Lane.TicketID > 0 })
		b.record(b.tried(of[1], notice.Retrying))
		last := b.tried(of[0], notice.Failed)
		last.Drop = "gone"
		b.record(last)
		require.Positive(t, b.bulk(sub, notice.Retrying), "not all of it in one transaction")
		for i := range lanes {
			_, more, err := b.outbox.Next(t.Context(), notice.Lane{Subscription: sub.ID, TicketID: int64(-1 - i)})
			require.NoError(t, err)
			require.False(t, more)
		}
		_, err := b.ChangePerson(t.Context(), "a", "hr", people.Key{ID: "ada"}, func(had people.PersonRecord, _ bool) (people.PersonRecord, error) {
			had.Chats[0].Webhook = "https://other.example.com/secret"
			return had, nil
		})
		require.NoError(t, err)
		require.Zero(t, len(b.of(sub, b.sendable())), "what is held already is older")
		got := map[notice.Lane][]string{}
		for range 10 {
			b.goOnWith("turn:" + sub.ID)
			b.send(got)
		}
		require.Empty(t, b.rest())
		b.consistent()
		all := 0
		for lane, bodies := range got {
			if lane.Subscription == sub.ID && lane.TicketID < 0 {
				all += len(bodies)
				require.True(t, slices.IsSortedFunc(bodies, func(a, b string) int { return len(a)*10000 - len(b)*10000 + strings.Compare(a, b) }), "%v", lane)
			}
		}
		require.Equal(t, n-1, all)
	})
}
