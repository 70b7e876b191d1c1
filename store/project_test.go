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

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"signalbox/desk"
	"signalbox/notice"
	"signalbox/store/vault"
	"signalbox/ticket"
)

// TestWhatBecomesOfSLAsIsCountedOnce: however often events are projected, and not where that comes to nothing.
func TestWhatBecomesOfSLAsIsCountedOnce(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		registry := prometheus.NewRegistry()
		b.Store.Measure(registry)
		counted := func() map[string]float64 {
			families, err := registry.Gather()
			require.NoError(t, err)
			out := map[string]float64{}
			for _, f := range families {
				for _, m := range f.GetMetric() {
					if f.GetName() == "signalbox_slas_total" {
						out[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
					}
				}
			}
			return out
		}
		lapsing := func(i int) *story {
			d := draft("promised")
			d.Service, d.Definition = promising(i)
			s := b.opened("a", d)
			s.at = s.at.Add(time.Minute)
			return s
		}
		require.Equal(t, map[string]float64{"warned": 0, "breached": 0}, counted())
		breached, warned := lapsing(3), lapsing(8)
		b.act(warned, ticket.Command{Action: ticket.Accept, Operator: "li"})
		events := breached.do(ticket.Command{Action: ticket.Accept, Operator: "li"})
		away := errors.New("it comes to nothing")
		err := b.InTransaction(t.Context(), func(ctx context.Context, _ func(vault.Purpose) (vault.DataKey, error)) error {
			require.NoError(t, b.ledger.Project(ctx, breached.ticket.Identity, events))
			return away
		})
		require.ErrorIs(t, err, away)
		require.Equal(t, map[string]float64{"warned": 1, "breached": 0}, counted())
		for range 3 {
			b.project(breached, events...)
		}
		require.Equal(t, map[string]float64{"warned": 1, "breached": 1}, counted())
	})
}

func TestARowIsTheFoldOfItsEvents(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		d := draft("清关 blocked at gate 7")
		d.Tags, d.Assignee = []string{"vip", "海关"}, "li"
		d.Relations = []ticket.Relation{{Type: "manifest", Content: []string{"A", "B"}}, {Type: "empty", Content: []string{}}}
		d.Fields = map[string]any{"<b>": json.Number("1.5"), "list": []any{"x", nil, true}}
		s := b.opened("a", d)
		require.Equal(t, s.ticket, b.read(s))

		b.act(s, ticket.Command{Action: ticket.Accept})
		b.project(s, s.relate("manifest", "B", "C")...)
		b.act(s, ticket.Command{Action: ticket.Say, Message: &ticket.Message{ID: "m1", Author: "li", Content: "first"}})
		b.act(s, ticket.Command{Action: ticket.Revise, Message: &ticket.Message{ID: "m1", Author: "wang", Content: "second"}})
		require.Equal(t, s.ticket, b.read(s))

		relations, err := b.Relations(t.Context(), s.ticket)
		require.NoError(t, err)
		require.Equal(t, []ticket.Relation{{Type: "manifest", Content: []string{"B", "C"}}, {Type: "empty", Content: []string{}}}, relations)
		messages, err := b.Messages(t.Context(), s.ticket.ID, 0, 10)
		require.NoError(t, err)
		require.Equal(t, []ticket.MessageRecord{{Message: ticket.Message{ID: "m1", Author: "wang", Content: "second"},
			CreatedAt: s.events[3].At, UpdatedAt: s.events[4].At}}, messages)

		for i := range 4 {
			b.act(s, ticket.Command{Action: ticket.Say, Message: &ticket.Message{ID: fmt.Sprint("n", i), Author: "li", Content: "x"}})
		}
		for after, want := range map[int][]string{0: {"m1", "n0"}, 2: {"n1", "n2"}, 4: {"n3"}, 5: nil} {
			part, err := b.Messages(t.Context(), s.ticket.ID, after, 2)
			require.NoError(t, err)
			var ids []string
			for _, m := range part {
				ids = append(ids, m.ID)
			}
			require.Equal(t, want, ids)
		}
		one, err := b.Message(t.Context(), s.ticket.ID, "m1")
		require.NoError(t, err)
		require.Equal(t, messages[0], one)
		_, err = b.Message(t.Context(), s.ticket.ID, "m2")
		require.True(t, ticket.Is(err, ticket.NotFound), err)
		_, err = b.Message(t.Context(), s.ticket.ID+1, "m1")
		require.True(t, ticket.Is(err, ticket.NotFound), err)

		timeline, err := b.Timeline(t.Context(), s.ticket.ID, 0, 100)
		require.NoError(t, err)
		require.Equal(t, completed(s.events), timeline)
		part, err := b.Timeline(t.Context(), s.ticket.ID, 2, 2)
		require.NoError(t, err)
		require.Equal(t, timeline[2:4], part)
	})
}

// completed fills in what events replace, by looking through those before them.
func completed(events []ticket.Event) []ticket.Event {
	events = slices.Clone(events)
	for i := range events {
		e := &events[i]
		for _, earlier := range events[:i] {
			if e.Before.Relation != nil && earlier.After.Opening != nil {
				for _, r := range earlier.After.Opening.Relations {
					if r.Type == e.After.Relation.Type {
						e.Before.Relation = &r
					}
				}
			}
			if e.Before.Relation != nil && earlier.After.Relation != nil && earlier.After.Relation.Type == e.After.Relation.Type {
				e.Before.Relation = earlier.After.Relation
			}
			if e.Before.Message != nil && earlier.After.Message != nil && earlier.After.Message.ID == e.After.Message.ID {
				e.Before.Message = earlier.After.Message
			}
		}
	}
	return events
}

func TestAMessageAndARelationChangedTwiceInOneProjection(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s := b.begin("a", draft("x"))
		s.relate("r", "1")
		s.relate("r", "2", "3")
		s.relate("r")
		for _, text := range []string{"one", "two", "three"} {
			action := ticket.Revise
			if text == "one" {
				action = ticket.Say
			}
			s.do(ticket.Command{Action: action, Message: &ticket.Message{ID: "m", Author: "li", Content: text}})
		}
		b.project(s, s.events...)
		timeline, err := b.Timeline(t.Context(), s.ticket.ID, 0, 100)
		require.NoError(t, err)
		require.Equal(t, completed(s.events)[6].Before.Message, &ticket.Message{ID: "m", Author: "li", Content: "two"})
		for i, e := range completed(s.events) {
			require.Equal(t, e.After, timeline[i].After)
			require.Equal(t, e.Before.Message, timeline[i].Before.Message)
			if e.Before.Relation != nil {
				require.ElementsMatch(t, e.Before.Relation.Content, timeline[i].Before.Relation.Content)
			}
		}
		relations, err := b.Relations(t.Context(), s.ticket)
		require.NoError(t, err)
		require.Equal(t, []ticket.Relation{{Type: "r", Content: []string{}}}, relations, "the type stays when nothing is in it any more")
	})
}

func TestAnEventOfANewerBuildIsAGap(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s := b.opened("a", draft("x"))
		accepted := s.do(ticket.Command{Action: ticket.Accept})
		newer := accepted[0]
		newer.Type = "telepathy"
		before := b.read(s)
		require.ErrorIs(t, b.ledger.Project(t.Context(), s.ticket.Identity, []ticket.Event{newer}), desk.ErrGap)
		require.Equal(t, before, b.read(s))
		b.project(s, accepted...)
		require.ErrorIs(t, b.ledger.Project(t.Context(), s.ticket.Identity, []ticket.Event{newer}), desk.ErrDiverged, "the row has another one there")
		require.Equal(t, s.ticket, b.read(s))
	})
}

func TestATicketWithAnothersNumberIsAFault(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		first := b.opened("a", draft("x"))
		second := b.begin("a", draft("y"))
		second.ticket.Number = first.ticket.Number
		opening := second.events[0]
		opening.After.Opening.Number = first.ticket.Number
		require.ErrorContains(t, b.ledger.Project(t.Context(), second.ticket.Identity, []ticket.Event{opening}), "another's")
		require.Equal(t, first.ticket, b.read(first))
	})
}

func TestProjectingTheSameEventsAtOnce(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		d := draft("x")
		d.Callback = &ticket.Callback{URL: "https://example.com/hook", Format: string(notice.FormatIssue), Profile: notice.Minutely}
		s := b.begin("a", d)
		s.do(ticket.Command{Action: ticket.Accept})
		s.relate("r", "1", "2")
		s.do(ticket.Command{Action: ticket.Close})
		at := make(chan error, 16)
		for i := range cap(at) {
			go func() {
				// Some see the whole story, some only its beginning.
				at <- b.ledger.Project(background(), s.ticket.Identity, s.events[:1+i%len(s.events)])
			}()
		}
		for range cap(at) {
			require.NoError(t, <-at)
		}
		require.Equal(t, s.ticket, b.read(s))
		timeline, err := b.Timeline(t.Context(), s.ticket.ID, 0, 100)
		require.NoError(t, err)
		require.Len(t, timeline, len(s.events))
		require.Equal(t, []string{"relations", "status"}, kinds(b.pending()))
	})
}

func kinds(works []notice.Work) (list []string) {
	for _, w := range works {
		list = append(list, w.Delivery.Type)
	}
	return list
}

// Whatever happens to a ticket, and in whatever pieces and repetitions it is projected, the read model is the fold and owes each subscriber
// everything once, in order.
func TestAnyProjectionGivesTheFold(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		actions := []ticket.Action{ticket.Accept, ticket.CommitSolution, ticket.Confirm, ticket.Suspend, ticket.Unsuspend, ticket.Withdraw,
			ticket.Close, ticket.Reopen, ticket.Say, ticket.Revise, ticket.Relate, ticket.Relate}
		rapid.Check(t, func(r *rapid.T) {
			d := draft(rapid.StringMatching(`[a-z 海关清]{1,20}[a-z]`).Draw(r, "title"))
			d.Assignee = rapid.SampledFrom([]string{"", "li", "wang"}).Draw(r, "assignee")
			d.Tags = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"x", "y", "z"}), 0, 3, rapid.ID).Draw(r, "tags")
			d.Relations = []ticket.Relation{{Type: "r", Content: rapid.SliceOfN(rapid.SampledFrom([]string{"1", "2", "3"}), 0, 3).Draw(r, "content")}}
			if rapid.Bool().Draw(r, "callback") {
				d.Callback = &ticket.Callback{URL: "https://example.com/hook", Format: string(notice.FormatIssue), Profile: notice.Minutely}
			}
			s := b.begin("a", d)
			for range rapid.IntRange(0, 15).Draw(r, "steps") {
				c := ticket.Command{Action: rapid.SampledFrom(actions).Draw(r, "action"), Operator: "li", Channel: ticket.ChannelIssue,
					Solution: &ticket.Solution{Type: "x", Cause: "c", Text: "s"},
					Verdict:  &ticket.Verdict{Passed: rapid.Bool().Draw(r, "passed"), Comment: "c"},
					Relation: &ticket.Relation{Type: rapid.SampledFrom([]string{"r", "s"}).Draw(r, "type"),
						Content: rapid.SliceOfN(rapid.SampledFrom([]string{"1", "2", "3"}), 0, 3).Draw(r, "content")},
					Message: &ticket.Message{ID: rapid.SampledFrom([]string{"m", "n"}).Draw(r, "message"), Author: "li",
						Content: rapid.StringMatching(`[a-z]{1,2}`).Draw(r, "text")},
				}
				s.at = s.at.Add(time.Second)
				events, err := ticket.Decide(s.ticket, c, s.at)
				if err != nil {
					events = []ticket.Event{ticket.Refused(s.ticket, c, err, s.at)}
				}
				s.ticket, s.events = ticket.Fold(s.ticket, events), append(s.events, events...)
			}
			have := 0
			for have < len(s.events) {
				from := rapid.IntRange(0, len(s.events)-1).Draw(r, "from")
				to := rapid.IntRange(from+1, len(s.events)).Draw(r, "to")
				err := b.ledger.Project(background(), s.ticket.Identity, s.events[from:to])
				if from > have {
					require.ErrorIs(r, err, desk.ErrGap)
					continue
				}
				require.NoError(r, err)
				have = max(have, to)
			}
			b.same(r, s)
		})
	})
}

// same holds everything that is kept of a ticket against its events.
func (b *bench) same(t require.TestingT, s *story) {
	ctx, id := background(), s.ticket.ID
	got, err := b.Ticket(ctx, s.ticket.Tenant, s.ticket.UUID)
	require.NoError(t, err)
	require.Equal(t, s.ticket, got)
	timeline, err := b.Timeline(ctx, id, 0, 1000)
	require.NoError(t, err)
	want := completed(s.events)
	require.Len(t, timeline, len(want))
	for i := range want {
		require.JSONEq(t, marshal(want[i]), marshal(timeline[i]))
	}

	relations, messages := map[string][]string{}, map[string]string{}
	var owed []string
	before := ticket.Ticket{}
	for _, e := range s.events {
		after := ticket.Evolve(before, e)
		if e.After.Opening != nil {
			for _, r := range e.After.Opening.Relations {
				relations[r.Type] = r.Content
			}
		}
		if r := e.After.Relation; r != nil {
			relations[r.Type] = r.Content
		}
		if m := e.After.Message; m != nil {
			messages[m.ID] = m.Content
		}
		if _, body, ok := notice.Render(notice.FormatIssue, notice.Context{}, before, e, after); ok && s.events[0].After.Opening.Callback != nil {
			owed = append(owed, string(body))
		}
		before = after
	}
	stored, err := b.Relations(ctx, got)
	require.NoError(t, err)
	require.Len(t, stored, len(relations))
	for _, r := range stored {
		require.ElementsMatch(t, relations[r.Type], r.Content)
	}
	said, err := b.Messages(ctx, id, 0, ticket.MaxMessages)
	require.NoError(t, err)
	require.Len(t, said, len(messages))
	for _, m := range said {
		require.Equal(t, messages[m.ID], m.Content)
	}
	subs, _, err := b.Registered(ctx, id, "", 0)
	require.NoError(t, err)
	if s.events[0].After.Opening.Callback == nil {
		require.Empty(t, subs)
	} else {
		require.Len(t, subs, 1)
		records, _, err := b.Deliveries(ctx, notice.Owner{}, subs[0].ID, "", 200)
		require.NoError(t, err)
		var bodies []string
		for _, r := range slices.Backward(records) {
			bodies = append(bodies, string(r.Body))
		}
		require.Equal(t, owed, bodies)
	}
	for _, person := range []string{"li", "wang"} {
		page, err := b.Tickets(ctx, s.ticket.Tenant, ticket.Filter{WaitingFor: person, Limit: 200})
		require.NoError(t, err)
		asked := slices.ContainsFunc(page.Items, func(t ticket.Ticket) bool { return t.ID == id })
		require.Equal(t, slices.Contains(s.ticket.WaitingFor(), person), asked)
	}
}

func TestSeveralStoriesAtOnceOnOneTicketDoNotMix(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s := b.opened("a", draft("x"))
		var wg sync.WaitGroup
		failed := make(chan error, 100)
		for i := range 30 {
			s.do(ticket.Command{Action: ticket.Say, Message: &ticket.Message{ID: fmt.Sprint(i), Author: "li", Content: "x"}})
		}
		// Each worker projects the events in its own turn and looks again when they come too early, as the desk does.
		for i := range 30 {
			wg.Go(func() {
				for ctx, e := background(), s.events[1+i]; ; {
					err := b.ledger.Project(ctx, s.ticket.Identity, []ticket.Event{e})
					if !errors.Is(err, desk.ErrGap) {
						failed <- err
						return
					}
				}
			})
		}
		wg.Wait()
		close(failed)
		for err := range failed {
			require.NoError(t, err)
		}
		require.Equal(t, s.ticket, b.read(s))
	})
}

func TestATransactionThatIsGivenUpLeavesNothing(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s := b.opened("a", draft("x"))
		ctx, cancel := context.WithCancel(t.Context())
		_, _, err := b.ledger.Transact(t.Context(), b.operation("k"), func(inner context.Context) (desk.Answer, error) {
			_, err := b.Register(inner, s.ticket, notice.Subscription{URL: "https://example.com/1"})
			require.NoError(t, err)
			cancel()
			return desk.Answer{}, ticket.Refuse(ticket.Conflict, "changed my mind")
		})
		require.True(t, ticket.Is(err, ticket.Conflict))
		subs, _, err := b.Registered(t.Context(), s.ticket.ID, "", 0)
		require.NoError(t, err)
		require.Empty(t, subs)
		err = b.ledger.Project(ctx, s.ticket.Identity, s.do(ticket.Command{Action: ticket.Accept}))
		require.True(t, ticket.Is(err, ticket.Unavailable))
		require.ErrorIs(t, err, context.Canceled)
	})
}
