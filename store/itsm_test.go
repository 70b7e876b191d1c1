package store_test

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/api/itsm"
	"signalbox/desk"
	"signalbox/notice"
	"signalbox/store"
	"signalbox/store/storetest"
	"signalbox/ticket"
)

var (
	_ itsm.Tickets  = (*store.Store)(nil)
	_ itsm.Services = (*store.Store)(nil)
)

// asked is a draft that people are asked to approve, with a callback.
func asked(title, opener, approvers string) ticket.Draft {
	return ticket.Draft{Channel: ticket.ChannelITSM, App: "demo", Origin: "demo", Title: title, Opener: opener, Service: ticket.ServiceFastApproval, Tags: []string{"t"},
		Form:     map[string]any{"title": title, "APPROVER": approvers},
		Callback: &ticket.Callback{URL: "https://example.com/cb", Format: "itsm", Profile: "once", Headers: map[string]string{"Authorization": "Bearer very-secret"}}}
}

func (b *bench) vote(s *story, action ticket.Action, who string) {
	b.t.Helper()
	b.act(s, ticket.Command{Action: action, Operator: who})
}

func TestCallbacksOfEndingsAndTheListOfThoseThatFailed(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s := b.opened("a", asked("标题", "wang", "alice,bob"))
		require.Empty(t, b.pending(), "nothing is owed before it ends")
		b.vote(s, ticket.Approve, "bob")
		works := b.pending()
		require.Len(t, works, 1)
		require.Equal(t, map[string]string{"Authorization": "Bearer very-secret"}, works[0].Subscription.Headers)
		var body map[string]any
		require.NoError(t, json.Unmarshal(works[0].Delivery.Body, &body))
		require.Len(t, body, 9)
		require.Equal(t, []any{"FINISHED", "wang,bob", true, "bob"}, []any{body["current_status"], body["updated_by"], body["approve_result"], body["last_approver"]})
		require.Equal(t, "FINISHED", works[0].Delivery.Type)
		passed, err := b.VerifyToken(t.Context(), "a", body["token"].(string))
		require.NoError(t, err)
		require.True(t, passed)
		require.Zero(t, b.count(`SELECT COUNT(*) FROM subscriptions WHERE headers LIKE '%secret%' OR headers = ''`), "headers are sealed")

		failed := func(tenant string) []string {
			numbers, err := b.FailedCallbacks(t.Context(), tenant)
			require.NoError(t, err)
			return numbers
		}
		fail := func(works []notice.Work) {
			t.Helper()
			for _, w := range works {
				at := b.clock.Now()
				b.clock.pass(time.Second)
				require.NoError(t, b.outbox.SaveResults(t.Context(), []notice.Result{{Work: w, Then: notice.Failed,
					Attempt: notice.Attempt{StartedAt: at, FinishedAt: at, Class: notice.ErrorBadBody, Error: "no code 0", Status: 200}}}))
			}
		}
		// Who asks before the callback has failed does not keep it off the list.
		require.NoError(t, b.Unlist(t.Context(), "a", []int64{s.ticket.ID}))
		require.Empty(t, failed("a"))
		fail(works)
		other := b.opened("a", asked("x", "wang", "alice"))
		b.vote(other, ticket.Reject, "alice")
		fail(b.pending())
		require.Equal(t, []string{s.ticket.Number, other.ticket.Number}, failed("a"))
		require.Empty(t, failed("b"))
		require.NoError(t, b.Unlist(t.Context(), "b", []int64{s.ticket.ID}))
		require.NoError(t, b.Unlist(t.Context(), "a", nil))
		require.Equal(t, []string{s.ticket.Number, other.ticket.Number}, failed("a"))
		b.act(s, ticket.Command{Action: ticket.Reopen})
		require.NoError(t, b.Unlist(t.Context(), "a", []int64{s.ticket.ID, other.ticket.ID}))
		require.Equal(t, []string{s.ticket.Number}, failed("a"), "it is open again")
		b.act(s, ticket.Command{Action: ticket.Close})
		require.NoError(t, b.Unlist(t.Context(), "a", []int64{s.ticket.ID}))
		require.Empty(t, failed("a"))
		again := b.pending()
		require.Len(t, again, 1, "every ending has its callback")
		fail(again)
		require.Equal(t, []string{s.ticket.Number}, failed("a"))
	})
}

// A callback whose address was dropped is kept, listed as failed, and sent when somebody asks for it: nobody can register it again.
func TestADroppedCallbackIsMadeActiveAgain(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s := b.opened("a", asked("x", "wang", "alice"))
		b.act(s, ticket.Command{Action: ticket.Close})
		w := b.pending()[0]
		r := b.tried(w, notice.Failed)
		r.Drop = "failed 11 times"
		b.record(r)
		require.NoError(t, b.Unlist(t.Context(), "a", []int64{s.ticket.ID}))
		b.act(s, ticket.Command{Action: ticket.Reopen})
		b.act(s, ticket.Command{Action: ticket.Close})
		require.Empty(t, b.pending())
		numbers, err := b.FailedCallbacks(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, []string{s.ticket.Number}, numbers, "it has not been called back")
		require.Equal(t, map[notice.DeliveryState]int{notice.Failed: 1, notice.Held: 1}, b.counts(s, w.Subscription))

		b.clock.pass(time.Second)
		dry, err := b.BeginRedelivery(t.Context(), ownerOf(s.ticket), w.Subscription.ID, notice.Selection{State: notice.Held}, true)
		require.NoError(t, err)
		require.Equal(t, 1, dry.Total)
		registered, err := b.Registration(t.Context(), ownerOf(s.ticket), w.Subscription.ID)
		require.NoError(t, err)
		require.Equal(t, notice.Dropped, registered.State, "it was only counted")
		other := b.opened("a", asked("y", "wang", "alice"))
		require.True(t, ticket.Is(b.Redeliver(t.Context(), ownerOf(other.ticket), w.Subscription.ID, w.Delivery.ID), ticket.NotFound))
		require.Equal(t, 1, b.count(`SELECT COUNT(*) FROM subscriptions WHERE state = 'dropped'`), "another ticket's is not touched")

		b.goOn(b.again(s, w.Subscription, notice.Selection{State: notice.Held}), 10, 100)
		works := b.pending()
		require.Len(t, works, 1)
		require.Equal(t, notice.Active, works[0].Subscription.State)
		b.record(b.tried(works[0], notice.Sent))
		numbers, err = b.FailedCallbacks(t.Context(), "a")
		require.NoError(t, err)
		require.Empty(t, numbers)
		require.NoError(t, b.Redeliver(t.Context(), ownerOf(s.ticket), w.Subscription.ID, w.Delivery.ID))
		require.Len(t, b.pending(), 1)
	})
}

func TestTokensHoldForOneTicketOfOneTenant(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		tokenOf := func(s *story) string {
			b.act(s, ticket.Command{Action: ticket.Close})
			for _, w := range b.pending() {
				if w.Delivery.Lane.TicketID == s.ticket.ID {
					var body struct{ Token string }
					require.NoError(t, json.Unmarshal(w.Delivery.Body, &body))
					return body.Token
				}
			}
			t.Fatal("no callback")
			return ""
		}
		verify := func(s *store.Store, tenant, token string) bool {
			passed, err := s.VerifyToken(t.Context(), tenant, token)
			require.NoError(t, err)
			return passed
		}
		one, two, foreign := b.opened("a", asked("1", "w", "x")), b.opened("a", asked("2", "w", "x")), b.opened("b", asked("3", "w", "x"))
		token, second, third := tokenOf(one), tokenOf(two), tokenOf(foreign)
		require.NotEqual(t, token, second)
		require.True(t, verify(b.Store, "a", token) && verify(b.Store, "a", second) && verify(b.Store, "b", third))
		require.False(t, verify(b.Store, "b", token) || verify(b.Store, "a", third), "another tenant's")
		raw, err := base64.RawURLEncoding.DecodeString(token)
		require.NoError(t, err)
		for i := range raw {
			changed := append([]byte{}, raw...)
			changed[i] ^= 1
			require.False(t, verify(b.Store, "a", base64.RawURLEncoding.EncodeToString(changed)), "byte %d", i)
		}
		// The id of one ticket with the digest of another.
		other, _ := base64.RawURLEncoding.DecodeString(second)
		require.False(t, verify(b.Store, "a", base64.RawURLEncoding.EncodeToString(append(append([]byte{}, raw[:8]...), other[8:]...))))
		for _, text := range []string{"", "x", token + "=", token + "A", " " + token, token[:len(token)-1], base64.StdEncoding.EncodeToString(raw)} {
			require.False(t, verify(b.Store, "a", text), text)
		}
		// A new master key changes nothing, given the old one.
		fresh := []byte("fedcba9876543210fedcba9876543210")
		require.True(t, verify(b.under(fresh, masterKey), "a", token))
		_, err = b.under(fresh).VerifyToken(t.Context(), "a", token)
		require.ErrorContains(t, err, "sealed with a key that is not here")
	})
}

// Before there were data keys, tokens were made with a key derived from the master key.
func TestTokensOfEarlierVersionsHold(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s := b.opened("a", asked("1", "w", "x"))
		for _, query := range []string{`DELETE FROM data_keys WHERE purpose = 'token'`, `UPDATE counters SET value = 1 WHERE name = 'tickets'`} {
			_, err := b.raw().Exec(query)
			require.NoError(t, err)
		}
		earlier, later := []byte("fedcba9876543210fedcba9876543210"), masterKey
		of := func(master []byte) string {
			key, err := hkdf.Key(sha256.New, master, nil, "signalbox callback token", sha256.Size)
			require.NoError(t, err)
			raw := binary.BigEndian.AppendUint64(nil, uint64(s.ticket.ID))
			mac := hmac.New(sha256.New, key)
			for _, part := range []string{"a", s.ticket.Number} {
				mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
				mac.Write([]byte(part))
			}
			return base64.RawURLEncoding.EncodeToString(mac.Sum(raw))
		}
		upgraded := b.under(later, earlier)
		for _, master := range [][]byte{earlier, later} {
			passed, err := upgraded.VerifyToken(t.Context(), "a", of(master))
			require.NoError(t, err)
			require.True(t, passed)
		}
		b.act(s, ticket.Command{Action: ticket.Close})
		var body struct{ Token string }
		require.NoError(t, json.Unmarshal(b.pending()[0].Delivery.Body, &body))
		require.Equal(t, of(later), body.Token, "processes of the earlier version take it")
		passed, err := b.VerifyToken(t.Context(), "a", of([]byte("a key that was never ours.......")))
		require.NoError(t, err)
		require.False(t, passed)
	})
}

// What an opening wants sent along may be a credential, and an opening is kept in many places.
func TestWhatMayBeACredentialIsNowhereInPlain(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		d := asked("1", "w", "x")
		op := desk.Operation{ID: b.id(), Request: request("k"), Kind: desk.KindOpen, Series: ticket.SeriesREQ, State: desk.Running, CreatedAt: b.clock.Now(),
			Lease: b.clock.Now().Add(time.Minute), Answer: desk.Answer{Status: 200}}
		claimed, fresh, err := b.ledger.Claim(t.Context(), op, func(op *desk.Operation) (err error) {
			op.Ticket.UUID, op.Ticket.Tenant = b.id(), "a"
			op.Opening, err = ticket.Open(d, op.Ticket, op.ID, b.clock.Now())
			return err
		})
		require.NoError(t, err)
		require.True(t, fresh)
		input, err := json.Marshal(claimed.Opening)
		require.NoError(t, err)
		require.NotContains(t, string(input), "very-secret", "what Temporal is given")
		require.Equal(t, "Bearer very-secret", d.Callback.Headers["Authorization"], "the draft stays as it was")
		require.NoError(t, b.ledger.Finish(t.Context(), claimed, claimed.Opening))

		s := &story{t: t, ticket: ticket.Fold(ticket.Ticket{}, claimed.Opening), at: b.clock.Now()}
		b.act(s, ticket.Command{Action: ticket.Close})
		works := b.pending()
		require.Len(t, works, 1)
		require.Equal(t, map[string]string{"Authorization": "Bearer very-secret"}, works[0].Subscription.Headers)
		var body struct{ Token string }
		require.NoError(t, json.Unmarshal(works[0].Delivery.Body, &body))
		require.NotEmpty(t, body.Token)
		listed, _, err := b.Deliveries(t.Context(), notice.Owner{}, works[0].Subscription.ID, "", 0)
		require.NoError(t, err)
		one, err := b.Delivery(t.Context(), works[0].Subscription.ID, works[0].Delivery.ID)
		require.NoError(t, err)
		require.Equal(t, []string{string(works[0].Delivery.Body), string(works[0].Delivery.Body)}, []string{string(listed[0].Delivery.Body), string(one.Delivery.Body)},
			"those who look see it as it is sent")
		looked := 0
		b.cells(func(table, column, text string) {
			looked++
			require.NotContains(t, text, "very-secret", "%s.%s", table, column)
			require.NotContains(t, text, body.Token, "%s.%s", table, column)
		})
		require.Greater(t, looked, 100)
	})
}

func TestSearchAndWhoDidWhat(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		first := b.opened("a", asked("1", "wang", "alice,bob"))
		b.clock.pass(time.Hour)
		d := asked("2", "li", "alice")
		d.Followers, d.Tags = []string{"li", "zhou"}, nil
		second := b.opened("a", d)
		b.clock.pass(time.Hour)
		third := b.opened("a", draft("an incident"))
		b.opened("b", asked("3", "wang", "alice"))
		first.at = b.clock.Now().Add(time.Hour)
		b.vote(first, ticket.Approve, "bob")
		b.act(third, ticket.Command{Action: ticket.Accept, Operator: "alice"})
		b.act(third, ticket.Command{Action: ticket.Say, Operator: "sun", Message: &ticket.Message{ID: "m", Author: "sun", Content: "x"}})
		b.act(third, ticket.Command{Action: ticket.Suspend, Operator: "alice"})

		one, two, three := first.ticket.Number, second.ticket.Number, third.ticket.Number
		for name, c := range map[string]struct {
			f    ticket.Search
			want []string
		}{
			"all":            {ticket.Search{}, []string{three, two, one}},
			"a page":         {ticket.Search{Offset: 1, Limit: 1}, []string{two}},
			"past the end":   {ticket.Search{Offset: 3}, nil},
			"numbers":        {ticket.Search{Keys: []string{one, three, "no"}}, []string{three, one}},
			"uuids":          {ticket.Search{Keys: []string{first.ticket.UUID, three}}, []string{three, one}},
			"uuid alone":     {ticket.Search{Keys: []string{first.ticket.UUID}}, []string{one}},
			"opener":         {ticket.Search{Opener: "li"}, []string{two}},
			"opened by":      {ticket.Search{Person: "wang", Parts: []ticket.Part{ticket.PartOpener}}, []string{one}},
			"acted":          {ticket.Search{Person: "alice", Parts: []ticket.Part{ticket.PartActor}}, []string{three}},
			"acted or opens": {ticket.Search{Person: "bob", Parts: []ticket.Part{ticket.PartActor, ticket.PartOpener}}, []string{one}},
			"acted, own":     {ticket.Search{Person: "wang", Parts: []ticket.Part{ticket.PartActor}}, []string{one}},
			"acted, others'": {ticket.Search{Person: "wang", Parts: []ticket.Part{ticket.PartActor}, Others: true}, nil},
			"only spoke":     {ticket.Search{Person: "sun", Parts: []ticket.Part{ticket.PartActor}}, nil},
			"follows":        {ticket.Search{Person: "zhou", Parts: []ticket.Part{ticket.PartFollower}}, []string{two}},
			"votes":          {ticket.Search{Person: "alice", Parts: []ticket.Part{ticket.PartApprover}}, []string{two}},
			"asked":          {ticket.Search{Person: "alice", Asked: true}, []string{three, two}},
			"phases":         {ticket.Search{Phases: []string{"suspended", "completed"}}, []string{three, one}},
			"services":       {ticket.Search{Services: []string{"fast_approval"}}, []string{two, one}},
			"tag":            {ticket.Search{Tag: "t"}, []string{one}},
			"created":        {ticket.Search{CreatedFrom: epoch.Add(time.Hour), CreatedTo: epoch.Add(time.Hour)}, []string{two}},
			"ended":          {ticket.Search{EndedFrom: epoch}, []string{one}},
			"ended before":   {ticket.Search{EndedTo: epoch}, nil},
			"everything": {ticket.Search{Keys: []string{one}, Person: "bob", Parts: []ticket.Part{ticket.PartActor}, Others: true, Opener: "wang", Phases: []string{"completed"},
				Services: []string{"fast_approval"}, Tag: "t", CreatedFrom: epoch, EndedFrom: epoch}, []string{one}},
		} {
			items, total, err := b.Search(t.Context(), "a", c.f)
			require.NoError(t, err, name)
			var numbers []string
			for _, item := range items {
				numbers = append(numbers, item.Number)
			}
			require.Equal(t, c.want, numbers, name)
			if c.f.Limit == 0 && c.f.Offset == 0 {
				require.Len(t, c.want, total, name)
			} else {
				require.Equal(t, 3, total, name)
			}
		}
		actors, err := b.Actors(t.Context(), []int64{first.ticket.ID, second.ticket.ID, third.ticket.ID})
		require.NoError(t, err)
		require.Equal(t, map[int64][]string{first.ticket.ID: {"wang", "bob"}, second.ticket.ID: {"li"}, third.ticket.ID: {"alice"}}, actors)
		b.act(first, ticket.Command{Action: ticket.Reopen})
		items, _, err := b.Search(t.Context(), "a", ticket.Search{EndedFrom: epoch})
		require.NoError(t, err)
		require.Empty(t, items, "it is open again")
		items, _, err = b.Search(t.Context(), "a", ticket.Search{Person: "alice", Parts: []ticket.Part{ticket.PartApprover}})
		require.NoError(t, err)
		require.Len(t, items, 2, "and asks again")
	})
}

func TestOneRatingOfACompletedTicket(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s := b.opened("a", asked("1", "wang", "alice"))
		rate := func(tenant, key string, stars int) error {
			return b.Rate(t.Context(), tenant, key, ticket.Rating{Stars: stars, Operator: "wang", Comments: "好\x00"})
		}
		err := rate("a", s.ticket.Number, 3)
		require.True(t, ticket.Is(err, ticket.Conflict))
		require.Equal(t, "status", ticket.AsError(err).Field)
		b.vote(s, ticket.Reject, "alice")
		require.True(t, ticket.Is(rate("b", s.ticket.Number, 3), ticket.NotFound))
		require.NoError(t, rate("a", s.ticket.UUID, 3))
		err = rate("a", s.ticket.Number, 4)
		require.True(t, ticket.Is(err, ticket.Conflict))
		require.Equal(t, "stars", ticket.AsError(err).Field)
		ratings, err := b.Ratings(t.Context(), []int64{s.ticket.ID, 999})
		require.NoError(t, err)
		require.Equal(t, map[int64]ticket.Rating{s.ticket.ID: {ID: s.ticket.ID, Stars: 3, Operator: "wang", Comments: "好", At: b.clock.Now().Truncate(time.Microsecond)}}, ratings)
	})
}

func TestNumbersAreCountedByTheDayOfTheZone(t *testing.T) {
	zone := time.FixedZone("x", 8*3600)
	at := time.Date(2026, 1, 1, 15, 59, 59, 0, time.UTC)
	s, err := store.Open(t.Context(), storetest.SQLite(t), store.Options{MasterKey: masterKey, Zone: zone, PublicURL: "https://box.example/",
		Now: func() time.Time { return at }})
	require.NoError(t, err)
	defer s.Close()
	n := 0
	open := func(series ticket.Series) string {
		n++
		op := desk.Operation{ID: fmt.Sprint("op", n), Request: request(""), Kind: desk.KindOpen, Series: series, State: desk.Running, CreatedAt: at, Lease: at.Add(time.Minute)}
		claimed, _, err := s.Ledger().Claim(t.Context(), op, func(*desk.Operation) error { return nil })
		require.NoError(t, err)
		return claimed.Ticket.Number
	}
	require.Equal(t, []string{"REQ20260101000001", "REQ20260101000002", "INC20260101000001"}, []string{open(ticket.SeriesREQ), open(ticket.SeriesREQ), open(ticket.SeriesINC)})
	at = at.Add(time.Second)
	require.Equal(t, "REQ20260102000001", open(ticket.SeriesREQ), "a new day in the zone")
	require.Equal(t, "IM202601011600000000000005", open(ticket.SeriesIM), "seed 001's numbers stay as they are")
	require.Equal(t, "https://box.example/ticket/X", s.TicketURL("X"))
}

// What a person or a number chooses is found by indexes, however many tickets the tenant has.
func TestSearchesReadNoWholeTable(t *testing.T) {
	t.Parallel()
	b := crowded(t)
	db := b.raw()
	db.SetMaxOpenConns(1)
	_, err := db.Exec(`UPDATE deliveries SET state = 'failed', listed = ticket_id % 1000 = 1 WHERE ticket_id % 50 = 1; ANALYZE deliveries`)
	require.NoError(t, err)
	before := scans(t, db)
	s, err := store.Open(t.Context(), b.dsn+"&application_name=observed", store.Options{MasterKey: masterKey, Connections: 1})
	require.NoError(t, err)
	day := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	for range 8 {
		for name, f := range map[string]ticket.Search{
			"numbers": {Keys: []string{"IM7", "IM9"}}, "both": {Keys: []string{"IM7", "00000000-0000-4000-8000-000000000001"}}, "opener": {Opener: "person7"},
			"acted": {Person: "person7", Parts: []ticket.Part{ticket.PartActor}, Others: true}, "votes": {Person: "person7", Parts: []ticket.Part{ticket.PartApprover}},
			"asked": {Person: "person7", Asked: true}, "tag": {Tag: "tag7"}, "phase": {Phases: []string{"revoked"}, CreatedFrom: day, CreatedTo: day.Add(time.Hour)},
			"ended": {EndedFrom: day, EndedTo: day.Add(time.Hour)},
		} {
			f.Limit = 10
			_, total, err := s.Search(t.Context(), "a", f)
			require.NoError(t, err, name)
			if name != "both" && name != "acted" {
				require.NotZero(t, total, name)
			}
		}
		failed, err := s.FailedCallbacks(t.Context(), "a")
		require.NoError(t, err)
		require.Len(t, failed, crowdSize/1000)
		require.NoError(t, s.Unlist(t.Context(), "a", []int64{2, 3}))
		_, err = s.Actors(t.Context(), []int64{1, 2, 3})
		require.NoError(t, err)
		_, err = s.Ratings(t.Context(), []int64{1, 2, 3})
		require.NoError(t, err)
	}
	require.NoError(t, s.Close())
	counted(t, db)
	for table, n := range scans(t, db) {
		require.Equal(t, before[table], n, "%s was read from end to end", table)
	}
}
