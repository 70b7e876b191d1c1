package ticket_test

import (
	"fmt"
	"slices"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"signalbox/ticket"
)

var actions = append(slices.Clone(ticket.HandleActions), ticket.Close, ticket.Reopen, ticket.Relate, ticket.Say, ticket.Revise, ticket.Report)

// The ways a phase may change, written down a second time and in other words than the table of the process.
var ways = map[string][]string{
	"triggered":    {"acknowledged", "suspended", "completed", "terminated", "revoked"},
	"acknowledged": {"resolved", "suspended", "completed", "terminated", "revoked"},
	"resolved":     {"acknowledged", "suspended", "completed", "terminated", "revoked"},
	"suspended":    {"triggered", "acknowledged", "resolved", "completed", "terminated", "revoked"},
	"completed":    {"triggered"},
}

func anyText(t *rapid.T, label string) string {
	return rapid.OneOf(
		rapid.SampledFrom([]string{"", " ", "li", "wang", "异常", "a\x00b", "a\nb", "a\xff", "<>&\u2028", chars(255), chars(256), chars(1_001), chars(10_001)}),
		rapid.StringN(0, 20, -1),
	).Draw(t, label)
}

func some[T any](t *rapid.T, label string, draw func() T) *T {
	if rapid.IntRange(0, 4).Draw(t, label) == 0 {
		return nil
	}
	v := draw()
	return &v
}

func anyRelation(t *rapid.T) ticket.Relation {
	r := ticket.Relation{Type: rapid.SampledFrom([]string{"manifest", "declaration", "goods", "a b", ""}).Draw(t, "relation")}
	switch rapid.IntRange(0, 5).Draw(t, "content") {
	case 0:
		r.Content = items(rapid.SampledFrom([]int{3_000, 6_000, 10_000, 10_001}).Draw(t, "many"), "x")
	case 1:
		r.Content = []string{anyText(t, "item")}
	default:
		r.Content = rapid.SliceOfN(rapid.SampledFrom([]string{"1", "2", "3"}), 0, 4).Draw(t, "items")
	}
	return r
}

func anyMessage(t *rapid.T) ticket.Message {
	return ticket.Message{ID: fmt.Sprintf("m%d", rapid.IntRange(0, 12).Draw(t, "message")), Author: rapid.SampledFrom([]string{"li", "wang", ""}).Draw(t, "author"),
		Content: anyText(t, "content")}
}

func anyStatement(t *rapid.T) ticket.Statement {
	moment := func(label string) *time.Time {
		return some(t, label, func() time.Time { return epoch.Add(time.Duration(rapid.IntRange(-3, 3).Draw(t, "hours")) * time.Hour) })
	}
	return ticket.Statement{
		System: rapid.SampledFrom([]string{"JIRA", "SERVICENOW", anyText(t, "system")}).Draw(t, "system"),
		Issue:  rapid.SampledFrom([]string{"A-1", "A-2", anyText(t, "issue")}).Draw(t, "issue"),
		Status: rapid.SampledFrom([]ticket.Status{ticket.Triggered, ticket.Acknowledged, ticket.Resolved, ticket.Completed, ticket.Completed, ticket.Revoked}).Draw(t, "told"),
		Kind:   anyText(t, "kind"), Notes: anyText(t, "notes"), Assignee: rapid.SampledFrom([]string{"", "li", "zhang", anyText(t, "other")}).Draw(t, "assigned"),
		DueAt: moment("due"), UpdatedAt: moment("updated"),
	}
}

// anyCommand is sound for its action more often than not, so that sequences get somewhere.
func anyCommand(t *rapid.T) ticket.Command {
	action := rapid.SampledFrom(actions).Draw(t, "action")
	c := command(action)
	c.Operator = rapid.SampledFrom([]string{"li", "wang", ""}).Draw(t, "operator")
	c.Admin = rapid.Bool().Draw(t, "admin")
	c.Operation = rapid.StringMatching(`op-[0-9]{4}`).Draw(t, "operation")
	switch action {
	case ticket.Relate:
		r := anyRelation(t)
		c.Relation = &r
	case ticket.Say, ticket.Revise:
		m := anyMessage(t)
		c.Message = &m
	case ticket.Report:
		s := anyStatement(t)
		c.Statement = &s
	case ticket.Confirm:
		c.Verdict.Passed = rapid.Bool().Draw(t, "passed")
	}
	if rapid.IntRange(0, 3).Draw(t, "nonsense") > 0 {
		return c
	}
	c.Action = rapid.SampledFrom(append(slices.Clone(actions), "", "nonsense", "Accept")).Draw(t, "any action")
	c.Operator, c.Note = anyText(t, "any operator"), anyText(t, "note")
	c.Node = rapid.SampledFrom([]string{"", "accept", "solve", "confirm", "x"}).Draw(t, "node")
	c.Solution = some(t, "solution", func() ticket.Solution {
		return ticket.Solution{Type: anyText(t, "mtm"), Cause: anyText(t, "cause"), Text: anyText(t, "text")}
	})
	c.Verdict = some(t, "verdict", func() ticket.Verdict {
		return ticket.Verdict{Passed: rapid.Bool().Draw(t, "passed"), Comment: anyText(t, "comment")}
	})
	c.Relation = some(t, "relation", func() ticket.Relation { return anyRelation(t) })
	c.Message = some(t, "message", func() ticket.Message { return anyMessage(t) })
	c.Statement = some(t, "statement", func() ticket.Statement { return anyStatement(t) })
	return c
}

// TestAnySequenceOfCommands plays commands, sound and nonsense, with clocks that jump, the way workflow and desk do.
func TestAnySequenceOfCommands(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := draft()
		d.Tags, d.Relations = []string{"a", "b"}, []ticket.Relation{{Type: "goods", Content: items(rapid.SampledFrom([]int{0, 2, 9_990}).Draw(t, "goods"), "g")}}
		d.Fields = map[string]any{"f": map[string]any{"n": 1.5}}
		on, all := open(t, d)
		wire := ticket.Fold(ticket.Ticket{}, through(t, all)) // the same ticket, folded from what arrived elsewhere
		now := epoch
		type past struct {
			ticket ticket.Ticket
			was    string
		}
		var pasts []past
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(-60, 120).Draw(t, "seconds")) * time.Second)
			base := on
			if base.Ended() {
				base.Generation++ // the desk begins the next generation
			}
			was := asJSON(t, base)
			pasts = append(pasts, past{base, was})
			c := anyCommand(t)
			asked := asJSON(t, c)
			events, err := ticket.Decide(base, c, now)
			require.Equal(t, was, asJSON(t, base), "deciding changes nothing")
			require.Equal(t, asked, asJSON(t, c), "nor the command")
			if err != nil {
				require.NotNil(t, ticket.AsError(err), "%v", err)
				require.NotEmpty(t, ticket.AsError(err).Message)
				require.Empty(t, events)
				if !rapid.Bool().Draw(t, "as a signal") || base.Ended() {
					continue
				}
				events = []ticket.Event{ticket.Refused(base, c, err, now)}
			}
			after := base
			for _, e := range events {
				require.Equal(t, after.Seq+1, e.Seq, "no sequence number is skipped")
				require.Equal(t, base.Generation, e.Generation)
				require.False(t, e.At.Before(all[len(all)-1].At), "time never runs backwards")
				require.True(t, e.Type.Known())
				require.LessOrEqual(t, len(asJSON(t, e)), ticket.MaxEvent)
				require.Equal(t, e, through(t, e), "an event goes through JSON unchanged")
				all = append(all, e)
				after = ticket.Evolve(after, e)
				wire = ticket.Evolve(through(t, wire), through(t, e))
			}
			if len(events) == 0 {
				continue // the generation was not begun
			}
			require.Equal(t, was, asJSON(t, base), "evolving leaves the earlier ticket alone")
			holds(t, after)
			if base.Phase() != after.Phase() {
				require.Contains(t, ways[base.Phase()], after.Phase(), "%s of a %s ticket", c.Action, base.Phase())
			}
			if base.Ended() {
				require.Contains(t, []ticket.Action{ticket.Reopen, ticket.Say, ticket.Revise, ticket.Report}, c.Action, "an ended ticket takes nothing else")
			}
			if events[0].Type == ticket.RefusedCmd || events[0].Type == ticket.Stale {
				quiet := after
				quiet.Seq, quiet.UpdatedAt = base.Seq, base.UpdatedAt
				require.Equal(t, was, asJSON(t, quiet))
			}
			on = after
		}
		require.Equal(t, asJSON(t, on), asJSON(t, ticket.Fold(ticket.Ticket{}, all)))
		require.Equal(t, asJSON(t, on), asJSON(t, wire))
		require.Equal(t, asJSON(t, on), asJSON(t, through(t, on)))
		for _, p := range pasts {
			require.Equal(t, p.was, asJSON(t, p.ticket), "no later step reaches into an earlier ticket")
		}
	})
}

// holds checks what is true of every ticket that can be reached.
func holds(t *rapid.T, on ticket.Ticket) {
	total, types, ids := 0, map[string]bool{}, map[string]bool{}
	for _, head := range on.Relations {
		total += head.Count
		types[head.Type] = true
	}
	for _, head := range on.Messages {
		ids[head.ID] = true
	}
	require.LessOrEqual(t, total, ticket.MaxRelated)
	require.LessOrEqual(t, len(on.Relations), ticket.MaxRelations)
	require.Len(t, types, len(on.Relations))
	require.LessOrEqual(t, len(on.Messages), ticket.MaxMessages)
	require.Len(t, ids, len(on.Messages))
	require.LessOrEqual(t, utf8.RuneCountInString(on.Assignee), ticket.MaxName)
	require.LessOrEqual(t, utf8.RuneCountInString(on.Reason), ticket.MaxReason)
	require.Equal(t, identity, on.Identity)
	require.Equal(t, epoch, on.CreatedAt)
	require.False(t, on.Suspended && on.Ended())
	require.Equal(t, on.Solution == nil, on.SolvedAt == nil)
	cases := map[string]bool{}
	for _, link := range on.Links {
		cases[link.System+"\n"+link.Issue] = true
	}
	require.Len(t, cases, len(on.Links))
	require.LessOrEqual(t, len(on.Links), ticket.MaxLinks)
	if on.Ended() {
		require.Empty(t, on.Nodes())
		require.Empty(t, on.WaitingFor())
	} else {
		require.NotEmpty(t, on.Nodes())
	}
}

// TestEvolveTakesAnything: whatever a newer build wrote, folding it neither fails nor reaches into the earlier ticket.
func TestEvolveTakesAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		on := in(t, rapid.SampledFrom([]string{"triggered", "resolved", "suspended", "completed"}).Draw(t, "phase"))
		on.Messages = slices.Grow([]ticket.MessageSummary{{ID: "m1"}}, 8) // room to be written into by mistake
		on.Relations = slices.Grow([]ticket.RelationSummary{{Type: "goods"}}, 8)
		on.Links = slices.Grow([]ticket.Link{{System: "JIRA"}}, 8)
		for range rapid.IntRange(1, 8).Draw(t, "events") {
			flagged, word := rapid.Bool().Draw(t, "flag"), anyText(t, "word")
			e := ticket.Event{
				Seq: rapid.Int64().Draw(t, "seq"), Generation: rapid.IntRange(0, 3).Draw(t, "life"), At: epoch,
				Type: rapid.SampledFrom(append(slices.Clone(ticket.Types), "", "from-a-newer-build")).Draw(t, "type"),
				After: ticket.Change{
					Status:    rapid.SampledFrom([]ticket.Status{"", ticket.Resolved, ticket.Revoked, "newer"}).Draw(t, "status"),
					Suspended: some(t, "suspended", func() bool { return flagged }), Assignee: some(t, "assignee", func() string { return word }),
					Reason:   some(t, "reason", func() string { return word }),
					Solution: some(t, "solution", func() ticket.Solution { return ticket.Solution{Text: word} }),
					Verdict:  some(t, "verdict", func() ticket.Verdict { return ticket.Verdict{Comment: word} }),
					Relation: some(t, "relation", func() ticket.Relation { return anyRelation(t) }),
					Message:  some(t, "message", func() ticket.Message { return anyMessage(t) }),
					Link:     some(t, "link", func() ticket.Link { return ticket.Link{System: word} }),
					Opening: some(t, "opening", func() ticket.Opening {
						return ticket.Opening{Service: word, Tags: []string{word}, Relations: []ticket.Relation{anyRelation(t)}}
					}),
				},
			}
			e = through(t, e) // as everything does that a newer build wrote
			was, left := asJSON(t, on), on
			on = ticket.Evolve(on, e)
			require.Equal(t, was, asJSON(t, left))
			require.Equal(t, e.Seq, on.Seq)
			_, _, _ = on.Phase(), on.Nodes(), on.WaitingFor()
			require.Equal(t, asJSON(t, on), asJSON(t, through(t, on)))
			// Another event on the same earlier ticket must not show in this one.
			now := asJSON(t, on)
			ticket.Evolve(left, ticket.Event{Type: ticket.Said, After: ticket.Change{Message: &ticket.Message{ID: "other"}, Relation: &ticket.Relation{Type: "other"}, Link: &ticket.Link{System: "other"}}})
			require.Equal(t, now, asJSON(t, on))
		}
	})
}
