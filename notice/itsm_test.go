package notice_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/flow"
	"signalbox/notice"
	"signalbox/ticket"
)

var shanghai = time.FixedZone("Asia/Shanghai", 8*3600)

// asked is a context that tells what it was asked.
var asked = notice.Context{
	TicketURL: func(number string) string { return "https://box.example/ticket/" + number },
	Token:     func(id ticket.Identity) string { return fmt.Sprintf("token-of-%s-%d", id.Tenant, id.ID) },
	Actors:    func(seq int64) []string { return []string{"wang", fmt.Sprintf("up to %d", seq)} },
	Zone:      shanghai,
}

// twoVotes is a process with two approvals, one after the other, whatever comes of the first.
var twoVotes = flow.Definition{
	Key: "two", Number: 1000, Version: 1, Name: "Two votes",
	Nodes: []flow.Node{
		{ID: "first", Number: 1001, Name: "First", Type: flow.Approval, Rule: flow.AllOf, Processors: &flow.Processors{Persons: []string{"zhao", "qian"}}, Next: "second"},
		{ID: "second", Number: 1002, Name: "Second", Type: flow.Approval, Processors: &flow.Processors{Persons: []string{"sun"}}, Next: "done"},
		{ID: "done", Number: 1003, Name: "Done", Type: flow.End},
	},
}

// itsm follows a ticket of that process and gives the callbacks that it owes.
type itsm struct {
	t      *testing.T
	ticket ticket.Ticket
	at     time.Time
}

func openITSM(t *testing.T) *itsm {
	s := &itsm{t: t, at: epoch}
	events, err := ticket.Open(ticket.Draft{Channel: ticket.ChannelITSM, App: "demo", Origin: "demo", Title: "标题", Opener: "wang", Service: "two", Definition: &twoVotes},
		ticket.Identity{ID: 7, Number: "REQ20260102000001", UUID: "u", Tenant: "north"}, "op", s.at)
	require.NoError(t, err)
	require.Empty(t, s.tell(events))
	return s
}

func (s *itsm) tell(events []ticket.Event) (bodies []string) {
	for _, e := range events {
		after := ticket.Evolve(s.ticket, e)
		kind, body, ok := notice.Render(notice.FormatITSM, asked, s.ticket, e, after)
		if ok {
			require.Equal(s.t, notice.ITSMStatus(after), kind)
			bodies = append(bodies, string(body))
		}
		s.ticket = after
	}
	return bodies
}

func (s *itsm) do(action ticket.Action, who string) []string {
	s.t.Helper()
	s.at = s.at.Add(time.Minute + time.Microsecond)
	events, err := ticket.Decide(s.ticket, ticket.Command{Action: action, Operator: who, Channel: ticket.ChannelITSM, App: "demo", Operation: fmt.Sprint(s.ticket.Seq),
		Message: &ticket.Message{ID: "m", Author: "li", Content: "x"}}, s.at)
	require.NoError(s.t, err)
	return s.tell(events)
}

// members gives the names of an object's members in order.
func members(t *testing.T, raw []byte) (names []string) {
	d := json.NewDecoder(strings.NewReader(string(raw)))
	_, err := d.Token()
	require.NoError(t, err)
	for d.More() {
		name, err := d.Token()
		require.NoError(t, err)
		names = append(names, name.(string))
		require.NoError(t, d.Decode(new(any)))
	}
	return names
}

func TestCallbacksHaveTheMembersThatTheDocumentSays(t *testing.T) {
	sample, err := os.ReadFile("testdata/itsm.json")
	require.NoError(t, err)
	s := openITSM(t)
	require.Empty(t, s.do(ticket.Reject, "zhao"))
	require.Empty(t, s.do(ticket.Approve, "qian"))
	bodies := s.do(ticket.Approve, "sun")
	require.Equal(t, []string{`{"title":"标题","current_status":"FINISHED","sn":"REQ20260102000001","ticket_url":"https://box.example/ticket/REQ20260102000001",` +
		`"update_at":"2026-01-02 11:07:05.000003","updated_by":"wang,up to 4","approve_result":false,"token":"token-of-north-7","last_approver":"sun"}`}, bodies,
		"the first approval was rejected, so that the ticket is not approved although the second passed (seed 002)")
	require.Equal(t, members(t, sample), members(t, []byte(bodies[0])))
	require.Empty(t, s.do(ticket.Say, "li"), "said of a ticket that is over")
}

func TestEveryEndingOwesOneCallback(t *testing.T) {
	approved := func(s *itsm) []string {
		s.do(ticket.Approve, "zhao")
		s.do(ticket.Approve, "qian")
		return s.do(ticket.Approve, "sun")
	}
	for name, c := range map[string]struct {
		end               func(*itsm) []string
		status, approvers string
		approved          bool
	}{
		"passed":     {approved, "FINISHED", "sun", true},
		"withdrawn":  {func(s *itsm) []string { return s.do(ticket.Withdraw, "wang") }, "REVOKED", "", false},
		"terminated": {func(s *itsm) []string { s.do(ticket.Approve, "qian"); return s.do(ticket.Terminate, "x") }, "TERMINATED", "qian", false},
		"closed":     {func(s *itsm) []string { return s.do(ticket.Close, "x") }, "FINISHED", "", false},
		"from a suspension": {func(s *itsm) []string {
			require.Empty(s.t, s.do(ticket.Suspend, "x"))
			return s.do(ticket.Withdraw, "wang")
		}, "REVOKED", "", false},
		"again": {func(s *itsm) []string {
			require.Len(s.t, s.do(ticket.Close, "x"), 1)
			require.Empty(s.t, s.do(ticket.Reopen, "x"))
			return approved(s)
		}, "FINISHED", "sun", true},
	} {
		t.Run(name, func(t *testing.T) {
			bodies := c.end(openITSM(t))
			require.Len(t, bodies, 1)
			var got struct {
				Status   string `json:"current_status"`
				Approved bool   `json:"approve_result"`
				Last     string `json:"last_approver"`
			}
			require.NoError(t, json.Unmarshal([]byte(bodies[0]), &got))
			require.Equal(t, c.status, got.Status)
			require.Equal(t, c.approved, got.Approved)
			require.Equal(t, c.approvers, got.Last)
		})
	}
}

func TestATicketThatIsOverAtOnceSendsItsCallback(t *testing.T) {
	over := flow.Definition{Key: "over", Number: 1000, Version: 1, Name: "Over", Nodes: []flow.Node{{ID: "done", Number: 1001, Name: "Done", Type: flow.End}}}
	events, err := ticket.Open(ticket.Draft{Channel: ticket.ChannelITSM, App: "demo", Origin: "demo", Title: "x", Opener: "wang", Service: "over", Definition: &over},
		ticket.Identity{ID: 7, Number: "REQ20260102000001", UUID: "u", Tenant: "north"}, "op", epoch)
	require.NoError(t, err)
	s := &itsm{t: t}
	bodies := s.tell(events)
	require.Len(t, bodies, 1)
	require.Contains(t, bodies[0], `"current_status":"FINISHED"`)
	require.Contains(t, bodies[0], `"approve_result":true`, "no approval was entered")
}

func TestHeadersThatCannotBeSent(t *testing.T) {
	many := map[string]string{}
	for i := range notice.MaxHeaders + 1 {
		many[fmt.Sprintf("X-%d", i)] = "x"
	}
	for name, headers := range map[string]map[string]string{
		"meta.headers: must have at most 20 members":                  many,
		"meta.headers.Host: cannot be set":                            {"Host": "x"},
		"meta.headers.CONNECTION: cannot be set":                      {"CONNECTION": "close"},
		"meta.headers.Transfer-Encoding: cannot be set":               {"Transfer-Encoding": "chunked"},
		"meta.headers.Webhook-Id: cannot be set":                      {"Webhook-Id": "x"},
		"meta.headers.webhook-signature: cannot be set":               {"webhook-signature": "x"},
		"meta.headers.Proxy-Authorization: cannot be set":             {"Proxy-Authorization": "x"},
		"meta.headers.Content-Length: cannot be set":                  {"Content-Length": "1"},
		"meta.headers.X: must not contain control characters":         {"X": "a\r\nHost: b"},
		"meta.headers: has a member whose name is no name for a head": {"a b": "x"},
		"meta.headers: has a member whose name":                       {"": "x"},
		"meta.headers: must have at most 8192 bytes in all":           {"A": strings.Repeat("x", 4096), "B": strings.Repeat("x", 4095)},
		"meta.headers.A: must have at most 4096 bytes":                {"A": strings.Repeat("x", 4097)},
		"meta.headers.x-a: is there twice":                            {"X-A": "1", "x-a": "2"},
	} {
		err := notice.CheckHeaders("meta.headers", headers)
		require.ErrorContains(t, err, name)
		require.True(t, ticket.Is(err, ticket.Invalid))
	}
	require.NoError(t, notice.CheckHeaders("h", map[string]string{"Authorization": "Bearer x", "Content-Type": "application/json", "X-A": "a\tü"}))
}
