package notice_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"signalbox/notice"
	"signalbox/ticket"
)

const number = "IM202601020304050000000001"

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// story is a ticket that commands are done to, one after the other.
type story struct {
	ticket ticket.Ticket
	n      int
}

// rendered is one step of a story and what it owes.
type rendered struct {
	before, after ticket.Ticket
	event         ticket.Event
	kind, body    string
	owed          bool
}

func begin(t require.TestingT) (*story, rendered) {
	events, err := ticket.Open(ticket.Draft{Channel: ticket.ChannelIssue, App: "demo", Origin: "customs", Title: "a case",
		Relations: []ticket.Relation{{Type: "manifest", Content: []string{"ItemID1"}}}},
		ticket.Identity{ID: 1, Number: number, UUID: "u", Tenant: "a"}, "op", epoch)
	require.NoError(t, err)
	require.Len(t, events, 1)
	s := &story{}
	return s, s.step(events[0])
}

func (s *story) step(e ticket.Event) rendered {
	r := rendered{before: s.ticket, event: e, after: ticket.Evolve(s.ticket, e)}
	kind, body, owed := notice.Render(notice.FormatIssue, notice.Context{}, r.before, e, r.after)
	r.kind, r.body, r.owed = kind, string(body), owed
	s.ticket = r.after
	return r
}

// do gives nil when the command is refused or changes nothing.
func (s *story) do(c ticket.Command) *rendered {
	s.n++
	c.Operator, c.Channel, c.App, c.Operation = "li", ticket.ChannelIssue, "demo", fmt.Sprint(s.n)
	events, err := ticket.Decide(s.ticket, c, epoch.Add(time.Duration(s.n)*time.Minute))
	if err != nil || len(events) == 0 {
		return nil
	}
	r := s.step(events[0])
	return &r
}

func TestIssueBodiesToTheByte(t *testing.T) {
	s, opened := begin(t)
	require.False(t, opened.owed, "nobody can have asked before there was a ticket")

	related := s.do(ticket.Command{Action: ticket.Relate, Relation: &ticket.Relation{Type: "manifest", Content: []string{"<ItemID2>"}}})
	require.Equal(t, `{"id":"IM202601020304050000000001","type":"relations","details":{}}`, related.body)
	require.Equal(t, "relations", related.kind)
	said := s.do(ticket.Command{Action: ticket.Say, Message: &ticket.Message{ID: "m1", Author: "li", Content: "hello"}})
	require.Equal(t, `{"id":"IM202601020304050000000001","type":"conversation","details":{}}`, said.body)
	revised := s.do(ticket.Command{Action: ticket.Revise, Message: &ticket.Message{ID: "m1", Author: "li", Content: "hello again"}})
	require.Equal(t, `{"id":"IM202601020304050000000001","type":"conversation","details":{}}`, revised.body)
	accepted := s.do(ticket.Command{Action: ticket.Accept})
	require.False(t, accepted.owed, "OPEN before and after")
	closed := s.do(ticket.Command{Action: ticket.Close})
	require.Equal(t, `{"id":"IM202601020304050000000001","type":"status","details":{"from":"OPEN","to":"CLOSED"}}`, closed.body)
	require.Equal(t, "status", closed.kind)
	reopened := s.do(ticket.Command{Action: ticket.Reopen})
	require.Equal(t, `{"id":"IM202601020304050000000001","type":"status","details":{"from":"CLOSED","to":"OPEN"}}`, reopened.body)
}

func TestTextIsNotEscapedForHTML(t *testing.T) {
	before := ticket.Ticket{Identity: ticket.Identity{Number: "<IM&1>"}, Status: ticket.Triggered}
	_, body, ok := notice.Render(notice.FormatIssue, notice.Context{}, before, ticket.Event{Type: ticket.Related}, before)
	require.True(t, ok)
	require.Equal(t, `{"id":"<IM&1>","type":"relations","details":{}}`, string(body))
}

func TestFormatsOfOtherBuildsOweNothing(t *testing.T) {
	open := ticket.Ticket{Status: ticket.Triggered}
	_, _, ok := notice.Render("telepathy", notice.Context{}, open, ticket.Event{Type: ticket.Related}, open)
	require.False(t, ok)
}

// Whatever happens to a ticket: a status notification is owed exactly when OPEN and CLOSED change places, and it tells of that very change.
func TestStatusIsToldExactlyWhenItFlips(t *testing.T) {
	actions := []ticket.Action{ticket.Accept, ticket.CommitSolution, ticket.Confirm, ticket.Suspend, ticket.Unsuspend, ticket.Withdraw,
		ticket.Terminate, ticket.Close, ticket.Reopen, ticket.Say, ticket.Relate}
	rapid.Check(t, func(t *rapid.T) {
		s, _ := begin(t)
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			c := ticket.Command{
				Action:   rapid.SampledFrom(actions).Draw(t, "action"),
				Solution: &ticket.Solution{Type: "x", Cause: "c", Text: "s"},
				Verdict:  &ticket.Verdict{Passed: rapid.Bool().Draw(t, "passed"), Comment: "c"},
				Relation: &ticket.Relation{Type: "manifest", Content: []string{rapid.StringMatching(`[a-z]{1,3}`).Draw(t, "item")}},
				Message:  &ticket.Message{ID: rapid.StringMatching(`[a-z]{8}`).Draw(t, "message"), Author: "li", Content: "x"},
			}
			r := s.do(c)
			if r == nil {
				continue
			}
			from, to := r.before.Status.Word(), r.after.Status.Word()
			require.Equal(t, from != to, r.kind == notice.KindStatus, "%s", r.event.Type)
			if from != to {
				require.Equal(t, fmt.Sprintf(`{"id":%q,"type":"status","details":{"from":%q,"to":%q}}`, number, from, to), r.body)
			}
			require.Equal(t, r.kind != "", r.owed)
		}
	})
}
