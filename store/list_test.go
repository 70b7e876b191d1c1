package store_test

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"signalbox/flow"
	"signalbox/notice"
	"signalbox/ticket"
)

// gallery opens tickets that differ in everything a list can be filtered by.
func gallery(b *bench, n int) []*story {
	var list []*story
	pick := func(i int, words ...string) string { return words[i%len(words)] }
	for i := range n {
		d := draft(pick(i, "Gate blocked", "海关清关延误", "gate Ünblocked now", "Totally different"))
		d.Origin, d.Assignee = pick(i/2, "customs", "harbour"), pick(i/3, "", "li", "wang")
		if i%2 == 0 {
			d.Tags = []string{"even", pick(i, "vip", "海关", "slow")}
		}
		d.Relations = []ticket.Relation{{Type: pick(i, "manifest", "order"), Content: []string{fmt.Sprint("N", i%5), "all"}}}
		if i%4 == 0 {
			d.Relations = append(d.Relations, ticket.Relation{Type: "invoice", Content: []string{"N0", "all"}})
		}
		d.Opener, d.Followers = pick(i, "li", "zhao"), [][]string{nil, {"qian"}, {"li", "qian"}}[i%3]
		d.Service, d.Definition = promising(i)
		s := b.opened(pick(i/7, "a", "a", "b"), d)
		b.clock.pass(time.Minute)
		s.at = b.clock.Now()
		if s.ticket.Service == "calls" || s.ticket.Service == "asks" {
			s.stuck(b, i)
			list = append(list, s)
			continue
		}
		for j := range i % 6 {
			switch j {
			case 0:
				b.act(s, ticket.Command{Action: ticket.Accept, Operator: pick(i, "li", "wang")})
			case 1:
				b.act(s, ticket.Command{Action: ticket.CommitSolution, Solution: &ticket.Solution{Type: "x", Cause: "c", Text: "s"}})
			case 2:
				b.act(s, ticket.Command{Action: ticket.Suspend})
			case 3:
				b.act(s, ticket.Command{Action: ticket.Unsuspend})
			case 4:
				b.act(s, ticket.Command{Action: pick4(i)})
				if i == 5 {
					b.act(s, ticket.Command{Action: ticket.Reopen})
				}
			}
		}
		list = append(list, s)
	}
	if n > 48 {
		list[23].at = b.clock.Now()
		b.act(list[23], ticket.Command{Action: ticket.Reopen})
		b.act(list[48], ticket.Command{Action: ticket.Close}) // in time
	}
	return list
}

// stuck has a ticket stand still, and most of them go on again.
func (s *story) stuck(b *bench, i int) {
	if s.ticket.Service == "asks" {
		if i%20 == 4 {
			b.act(s, ticket.Command{Action: ticket.Suspend})
		}
		return
	}
	call := s.ticket.Calls(s.at)[0]
	b.act(s, ticket.Command{Action: ticket.Answer, Called: &flow.Called{Key: call.Key, Node: call.Node, Round: call.Round, Try: call.Try, Status: 503}})
	switch i % 4 {
	case 1:
		b.act(s, ticket.Command{Action: ticket.Retry})
	case 2:
		b.act(s, ticket.Command{Action: ticket.Close})
	}
}

// promising gives some of the stories a service that promises something: to be accepted within half a minute, or to be done within the hour, with a warning at half a minute.
func promising(i int) (string, *flow.Definition) {
	def := flow.Builtin()[flow.ServiceIncident].Definition()
	switch i % 10 {
	case 3:
		def.SLA = []flow.SLA{{Name: "respond", Until: "accept", Target: "30s"}, {Name: "resolve", Until: flow.UntilEnd, Target: "1d"}}
	case 8:
		def.SLA = []flow.SLA{{Name: "resolve", Until: flow.UntilEnd, Target: "50m", Warn: "1 %"}}
	case 1, 6:
		def.Key, def.Nodes = "calls", []flow.Node{{ID: "call", Name: "Call", Type: flow.Call, Call: &flow.Request{URL: "https://example.com"}, Next: "over"}, {ID: "over", Name: "Over", Type: flow.End}}
	case 4:
		def.Key, def.Nodes = "asks", []flow.Node{{ID: "ask", Name: "Ask", Type: flow.Task, Processors: &flow.Processors{Caller: true}, Next: "over"}, {ID: "over", Name: "Over", Type: flow.End}}
	default:
		return "", nil
	}
	return def.Key, &def
}

func pick4(i int) ticket.Action {
	return []ticket.Action{ticket.Close, ticket.Terminate, ticket.Withdraw}[i/6%3]
}

// matches is what a filter means, said in another way.
func matches(s *story, f ticket.Filter) bool {
	t := s.ticket
	is := func(want, have string) bool { return want == "" || want == have }
	contents := map[string][]string{}
	for _, r := range s.events[0].After.Opening.Relations {
		contents[r.Type] = r.Content
	}
	sla, due := "", time.Time{}
	for _, c := range t.Position.SLA {
		if c.Warned != nil && c.Over == nil && sla == "" {
			sla = "warned"
		}
		if c.Breached != nil {
			sla = "breached"
		}
		if sla != "breached" && !t.Status.Open() {
			sla = "kept"
		}
		if c.Over == nil && c.Due != nil && (due.IsZero() || c.Due.Before(due)) {
			due = *c.Due
		}
	}
	var items []string
	for _, list := range contents {
		items = append(items, list...)
	}
	before := func(a, b time.Time) bool { return b.IsZero() || a.Before(b) }
	ended := t.EndedAt()
	if !f.EndedAfter.IsZero() && (ended == nil || !ended.After(f.EndedAfter)) || !f.EndedBefore.IsZero() && (ended == nil || !ended.Before(f.EndedBefore)) ||
		!f.Overdue.IsZero() && (due.IsZero() || !due.Before(f.Overdue) || t.Ended()) || f.Unassigned && (t.Assignee != "" || t.Ended()) ||
		len(f.Stuck) > 0 && !slices.Contains(f.Stuck, standsStill(t)) || f.Sort == ticket.SortStuck && standsStill(t) == "" || !is(f.Opener, t.Opener) || f.Node != "" && !standsAt(t, f.Node) || f.Follower != "" && !slices.Contains(t.Followers, f.Follower) {
		return false
	}
	if !f.ReopenedAfter.IsZero() || !f.ReopenedBefore.IsZero() {
		again := slices.ContainsFunc(s.events, func(e ticket.Event) bool {
			return e.Type == ticket.Reopened && before(e.At, f.ReopenedBefore) && (f.ReopenedAfter.IsZero() || e.At.After(f.ReopenedAfter))
		})
		if !again {
			return false
		}
	}
	return (len(f.SLA) == 0 || slices.Contains(f.SLA, sla)) && (f.DueBefore.IsZero() || !due.IsZero() && due.Before(f.DueBefore)) &&
		(f.DueAfter.IsZero() || due.After(f.DueAfter)) && (f.Open == nil || *f.Open == t.Status.Open()) && (len(f.Phases) == 0 || slices.Contains(f.Phases, t.Phase())) &&
		is(f.Origin, t.Origin) && is(f.Service, t.Service) && is(f.Assignee, t.Assignee) &&
		(f.Tag == "" || slices.Contains(t.Tags, f.Tag)) && (f.WaitingFor == "" || slices.Contains(t.WaitingFor(), f.WaitingFor)) &&
		(f.RelationType == "" || slices.Contains(contents[f.RelationType], f.RelationItem)) && (f.RelationType != "" || f.RelationItem == "" || slices.Contains(items, f.RelationItem)) &&
		before(t.CreatedAt, f.CreatedBefore) && (f.CreatedAfter.IsZero() || t.CreatedAt.After(f.CreatedAfter)) &&
		before(t.UpdatedAt, f.UpdatedBefore) && (f.UpdatedAfter.IsZero() || t.UpdatedAt.After(f.UpdatedAfter))
}

func standsAt(t ticket.Ticket, node string) bool {
	return !t.Ended() && slices.ContainsFunc(t.Position.Nodes, func(s flow.NodeState) bool { return s.Node == node && s.State.Open() })
}

// pages reads a whole list, and checks that it is paged as asked.
func (b *bench) pages(t require.TestingT, tenant string, f ticket.Filter) []ticket.Ticket {
	var all []ticket.Ticket
	for {
		page, err := b.Tickets(background(), tenant, f)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Items), f.Limit)
		all = append(all, page.Items...)
		if page.Next == "" {
			return all
		}
		require.Len(t, page.Items, f.Limit, "only the last page is short")
		f.Cursor = page.Next
	}
}

func TestAnyFilterFindsWhatMatches(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		stories := gallery(b, 60)
		moment := func(r *rapid.T, name string) time.Time {
			if rapid.Bool().Draw(r, name+" set") {
				return stories[rapid.IntRange(0, len(stories)-1).Draw(r, name)].ticket.CreatedAt.Add(time.Duration(rapid.IntRange(-1, 1).Draw(r, name+" off")) * time.Microsecond)
			}
			return time.Time{}
		}
		rapid.Check(t, func(r *rapid.T) {
			some := func(name string, words ...string) string {
				return rapid.SampledFrom(append(words, "", "", "", "nothing")).Draw(r, name)
			}
			f := ticket.Filter{Origin: some("origin", "customs", "harbour"), Tag: some("tag", "even", "vip", "海关"), Service: some("service", "incident"),
				Assignee: some("assignee", "li", "wang"), WaitingFor: some("waiting", "li", "wang", "zhao"),
				CreatedAfter: moment(r, "created after"), CreatedBefore: moment(r, "created before"),
				UpdatedAfter: moment(r, "updated after"), UpdatedBefore: moment(r, "updated before"),
				Limit: rapid.IntRange(1, 20).Draw(r, "limit")}
			if rapid.Bool().Draw(r, "by status") {
				open := rapid.Bool().Draw(r, "open")
				f.Open = &open
			}
			f.Phases = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"triggered", "acknowledged", "resolved", "completed", "suspended", "revoked"}), 0, 3,
				rapid.ID).Draw(r, "phases")
			f.Opener, f.Follower, f.Unassigned = some("opener", "li", "zhao"), some("follower", "li", "qian"), rapid.Bool().Draw(r, "unassigned")
			f.EndedAfter, f.EndedBefore, f.Overdue = moment(r, "ended after"), moment(r, "ended before"), moment(r, "overdue")
			f.Sort = rapid.SampledFrom([]ticket.Sort{ticket.SortOpened, ticket.SortUpdated, ticket.SortUpdatedLatest, ticket.SortDue, ticket.SortStuck}).Draw(r, "sort")
			f.Stuck = rapid.SliceOfNDistinct(rapid.SampledFrom(ticket.Causes), 0, 3, rapid.ID).Draw(r, "stuck")
			f.Terms = some("words", "gate", "海关", "blocked", "customs gate")
			if f.RelationType = some("type", "manifest", "order"); f.RelationType != "" || rapid.Bool().Draw(r, "any type") {
				f.RelationItem = rapid.SampledFrom([]string{"N0", "N3", "all"}).Draw(r, "item")
			}
			tenant := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(r, "tenant")
			want := numbers(inOrder(stories, tenant, f))
			require.Equal(r, want, numbers(b.pages(r, tenant, f)))
			most := rapid.IntRange(1, 30).Draw(r, "most")
			total, err := b.Count(background(), tenant, f, most)
			require.NoError(r, err)
			require.Equal(r, ticket.Total{N: min(len(want), most), More: len(want) > most}, total)
		})
	})
}

// inOrder gives what a filter means of the stories, newest last, in its order.
func inOrder(stories []*story, tenant string, f ticket.Filter) (list []ticket.Ticket) {
	for _, s := range slices.Backward(stories) {
		if s.ticket.Tenant == tenant && matches(s, f) && saysAll(s.ticket, f.Terms) {
			list = append(list, s.ticket)
		}
	}
	slices.SortStableFunc(list, func(a, b ticket.Ticket) int {
		switch f.Sort {
		case ticket.SortUpdated:
			return cmp.Or(a.UpdatedAt.Compare(b.UpdatedAt), cmp.Compare(a.ID, b.ID))
		case ticket.SortUpdatedLatest:
			return cmp.Or(b.UpdatedAt.Compare(a.UpdatedAt), cmp.Compare(b.ID, a.ID))
		case ticket.SortStuck:
			x, y := stoodStill(a), stoodStill(b)
			return cmp.Or(x.Compare(y), cmp.Compare(a.ID, b.ID))
		case ticket.SortDue:
			x, y := a.DueAt(), b.DueAt()
			switch {
			case x != nil && y != nil:
				return cmp.Or(x.Compare(*y), cmp.Compare(a.ID, b.ID))
			case x != nil:
				return -1
			case y != nil:
				return 1
			}
		}
		return 0
	})
	return list
}

// standsStill is why a ticket of the gallery does: those whose process is a call have had an answer that was none, and those that are nobody's ask nobody.
func standsStill(t ticket.Ticket) ticket.Cause {
	if n, ok := t.Position.Find("call"); ok && n.State == flow.Failed && !t.Suspended {
		return flow.CauseFailed
	}
	if n, ok := t.Position.Find("ask"); ok && n.State == flow.Active && len(n.Asked) == 0 && !t.Suspended {
		return flow.CauseNobody
	}
	return ""
}

// stoodStill is when whatever it is happened at last.
func stoodStill(t ticket.Ticket) time.Time {
	for _, s := range t.Position.Nodes {
		if s.State.Open() {
			return s.Entered
		}
	}
	return time.Time{}
}

// saysAll tells whether a ticket of the gallery has all of some words.
func saysAll(t ticket.Ticket, words string) bool {
	text := strings.ToLower(t.Title + " " + t.Origin + " " + strings.Join(t.Tags, " "))
	for _, word := range strings.Fields(words) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

func numbers(list []ticket.Ticket) (out []string) {
	for _, t := range list {
		out = append(out, t.Number)
	}
	return out
}

func TestEachFilterByItself(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		stories := gallery(b, 60)
		yes, no := true, false
		middle := stories[30].ticket
		tried := map[string]bool{"Terms": true, "Limit": true, "Cursor": true} // tests of their own
		for name, f := range map[string]ticket.Filter{
			"open": {Open: &yes}, "closed": {Open: &no}, "phase": {Phases: []string{"suspended"}}, "phases": {Phases: []string{"revoked", "triggered"}},
			"origin": {Origin: "customs"}, "tag": {Tag: "海关"}, "service": {Service: "incident"}, "assignee": {Assignee: "li"}, "waiting": {WaitingFor: "zhao"},
			"relation": {RelationType: "manifest", RelationItem: "N2"}, "created after": {CreatedAfter: middle.CreatedAt},
			"created before": {CreatedBefore: middle.CreatedAt}, "updated after": {UpdatedAfter: middle.UpdatedAt}, "updated before": {UpdatedBefore: middle.UpdatedAt},
			"breached": {SLA: []string{"breached"}}, "warned": {SLA: []string{"warned"}}, "sla": {SLA: []string{"warned", "breached"}},
			"unassigned": {Unassigned: true}, "opener": {Opener: "zhao"}, "follower": {Follower: "qian"}, "related": {RelationItem: "N0"}, "overdue": {Overdue: middle.CreatedAt.Add(time.Hour)},
			"ended after": {EndedAfter: middle.CreatedAt}, "ended before": {EndedBefore: middle.CreatedAt}, "updated first": {Sort: ticket.SortUpdated}, "updated last": {Sort: ticket.SortUpdatedLatest},
			"due first": {Sort: ticket.SortDue},
			"stuck":     {Stuck: ticket.Causes}, "a call failed": {Stuck: []ticket.Cause{flow.CauseFailed}}, "nobody is asked": {Stuck: []ticket.Cause{flow.CauseNobody}}, "stuck first": {Sort: ticket.SortStuck},
			"kept": {SLA: []string{"kept"}}, "kept or not": {SLA: []string{"kept", "breached"}, Open: &no},
			"reopened after": {ReopenedAfter: middle.CreatedAt}, "reopened before": {ReopenedBefore: middle.CreatedAt},
			"node":       {Service: "calls", Node: "call"},
			"due before": {DueBefore: middle.CreatedAt.Add(time.Hour)}, "due after": {DueAfter: middle.CreatedAt.Add(time.Hour)},
		} {
			want := numbers(inOrder(stories, "a", f))
			require.NotEmpty(t, want, name)
			for member, value := range reflect.ValueOf(f).Fields() {
				tried[member.Name] = tried[member.Name] || !value.IsZero()
			}
			f.Limit = 7
			require.Equal(t, want, numbers(b.pages(t, "a", f)), name)
		}
		for member := range reflect.TypeFor[ticket.Filter]().Fields() {
			require.True(t, tried[member.Name], "the filter %s is not tried", member.Name)
		}
		page, err := b.Tickets(t.Context(), "a", ticket.Filter{})
		require.NoError(t, err)
		require.Len(t, page.Items, ticket.DefaultPage)
		page, err = b.Tickets(t.Context(), "a", ticket.Filter{Limit: 100_000})
		require.NoError(t, err)
		require.Less(t, len(page.Items), 60)
		for _, item := range page.Items {
			require.Equal(t, "a", item.Tenant)
		}
	})
}

// While tickets are opened, written down late, and closed: whoever pages sees each of those that stay exactly once.
func TestPagesNeitherRepeatNorLeaveOut(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		for name, f := range map[string]ticket.Filter{"by id": {Limit: 7}, "by time": {Limit: 7, CreatedAfter: epoch.Add(-time.Hour)}} {
			tenant := "t" + name
			var there, late []*story
			for i := range 50 {
				s := b.begin(tenant, draft("x"))
				b.clock.pass(time.Second / 4) // several in a second, some at the same moment
				if i%5 == 4 {
					late = append(late, s)
					continue
				}
				b.project(s, s.events...)
				there = append(there, s)
			}
			seen := map[string]int{}
			for {
				page, err := b.Tickets(t.Context(), tenant, f)
				require.NoError(t, err)
				for _, item := range page.Items {
					seen[item.Number]++
				}
				if page.Next == "" {
					break
				}
				f.Cursor = page.Next
				b.opened(tenant, draft("new"))
				if len(late) > 0 {
					b.project(late[0], late[0].events...)
					late = late[1:]
				}
				b.act(there[len(seen)%len(there)], ticket.Command{Action: ticket.Say, Message: &ticket.Message{ID: fmt.Sprint("m", len(seen)), Author: "li", Content: "x"}})
			}
			for _, s := range there {
				require.Equal(t, 1, seen[s.ticket.Number])
			}
			for number, n := range seen {
				require.Equal(t, 1, n, number)
			}
		}
	})
}

func TestTimesBeyondAllTimes(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		b.opened("a", draft("x"))
		for _, c := range []struct {
			at            string
			after, before int
		}{{"0000-01-01T00:00:00Z", 1, 0}, {"0001-01-01T00:00:00+23:59", 1, 0}, {"9999-12-31T23:59:59-23:59", 0, 1}} {
			at, err := time.Parse(time.RFC3339, c.at)
			require.NoError(t, err)
			for f, want := range map[*ticket.Filter]int{{CreatedAfter: at}: c.after, {CreatedBefore: at}: c.before, {UpdatedAfter: at}: c.after, {UpdatedBefore: at}: c.before} {
				page, err := b.Tickets(t.Context(), "a", *f)
				require.NoError(t, err)
				require.Len(t, page.Items, want, c.at)
			}
		}
	})
}

func TestACursorThatIsNoneIsRefused(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		for _, cursor := range []string{"x", "!!", "e30", "eyJhIjoiMjAyNi0wMS0wMlQwMzowNDowNVoiLCJuIjotMX0", strings.Repeat("A", 500), "bnVsbA"} {
			_, err := b.Tickets(t.Context(), "a", ticket.Filter{Cursor: cursor})
			refusal := ticket.AsError(err)
			require.NotNil(t, refusal, cursor)
			require.Equal(t, ticket.Invalid, refusal.Code)
			require.Equal(t, "cursor", refusal.Field)
			_, _, err = b.Deliveries(t.Context(), notice.Owner{}, "s", cursor, 10)
			require.True(t, ticket.Is(err, ticket.Invalid), cursor)
		}
	})
}

// A cursor is one of an order: in another it would lead anywhere.
func TestACursorOfAnotherOrderIsRefused(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		gallery(b, 20)
		orders := []ticket.Sort{ticket.SortOpened, ticket.SortUpdated, ticket.SortUpdatedLatest, ticket.SortDue}
		for _, from := range orders {
			page, err := b.Tickets(t.Context(), "a", ticket.Filter{Sort: from, Limit: 2})
			require.NoError(t, err)
			require.NotEmpty(t, page.Next)
			for _, to := range orders {
				_, err := b.Tickets(t.Context(), "a", ticket.Filter{Sort: to, Limit: 2, Cursor: page.Next})
				require.Equal(t, from != to, ticket.Is(err, ticket.Invalid), "from %q to %q: %v", from, to, err)
			}
		}
	})
}

func TestAnotherTenantsTicketDoesNotExist(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s := b.opened("a", draft("x"))
		for _, key := range []string{s.ticket.Number, s.ticket.UUID, strings.ToUpper(s.ticket.UUID)} {
			got, err := b.Ticket(t.Context(), "a", key)
			require.NoError(t, err)
			require.Equal(t, s.ticket, got)
			_, err = b.Ticket(t.Context(), "b", key)
			require.True(t, ticket.Is(err, ticket.NotFound))
		}
		for _, key := range []string{"", "IM", "\x00", s.ticket.Number + "'", "%"} {
			_, err := b.Ticket(t.Context(), "a", key)
			require.True(t, ticket.Is(err, ticket.NotFound), key)
		}
	})
}

func TestTimesComeBackToTheMicrosecond(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		for _, at := range []time.Time{epoch, epoch.Truncate(time.Second), epoch.Truncate(time.Millisecond), time.Date(1970, 1, 1, 0, 0, 0, 1000, time.UTC),
			time.Date(2999, 12, 31, 23, 59, 59, 999_999_999, time.FixedZone("x", 5*3600+1800))} {
			b.clock.set(at)
			s := b.opened("a", draft("x"))
			timeline, err := b.Timeline(t.Context(), s.ticket.ID, 0, 10)
			require.NoError(t, err)
			want := at.UTC().Truncate(time.Microsecond)
			require.Equal(t, want, timeline[0].At)
			require.Equal(t, want, b.read(s).CreatedAt)
			sub, err := b.Register(t.Context(), s.ticket, notice.Subscription{URL: "https://example.com"})
			require.NoError(t, err)
			require.Equal(t, want, sub.CreatedAt)
			stored, err := b.Registration(t.Context(), ownerOf(s.ticket), sub.ID)
			require.NoError(t, err)
			require.Equal(t, want, stored.CreatedAt)
			op := b.operation(fmt.Sprint("k", s.ticket.ID))
			_, _, err = b.ledger.Claim(t.Context(), op, nothing)
			require.NoError(t, err)
			require.NoError(t, b.ledger.Expire(t.Context(), op.ID, op.Lease))
			expired, err := b.ledger.Expired(t.Context(), 1)
			require.NoError(t, err)
			require.Equal(t, want, expired[0].CreatedAt)
			require.Equal(t, want, expired[0].Lease)
			require.NoError(t, b.ledger.Close(t.Context(), op.ID, "void", ""))
		}
	})
}
