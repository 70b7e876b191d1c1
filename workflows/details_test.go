package workflows

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"signalbox/flow"
	"signalbox/ticket"
)

var testPages = Pages{
	Ticket:   func(number string) string { return "https://box.example/ticket/" + number },
	Delivery: func(id string) string { return "https://box.example/deliveries/" + id },
}

// What people typed is shown as code: whatever it is, it is one line in one pair of backticks, which it cannot end.
func TestWhatPeopleTypedPlantsNothing(t *testing.T) {
	for typed, want := range map[string]string{
		"a case":                           "`a case`",
		"[pay here](https://evil.example)": "`[pay here](https://evil.example)`",
		"`` ` ` [x](//evil)":               "`'' ' ' [x](//evil)`",
		"a\n\n# b\r\n<img src=x>":          "`a # b <img src=x>`",
		"abc\u202etxt.exe\u200b":           "`abc txt.exe`",
		"\xff\x00":                         "",
		" ":                                "",
		"异常":                               "`异常`",
	} {
		require.Equal(t, want, quoted(typed), "%q", typed)
	}
	long := quoted(strings.Repeat("异", 300))
	require.LessOrEqual(t, len(long), maxQuoted+2)
	require.True(t, strings.HasSuffix(long, "…`"))
}

// shownProcess asks two people until a deadline.
const shownProcess = `{"key":"shown","name":"Shown","nodes":[
	{"id":"decide","name":"Decide [x](//evil)","type":"approval","rule":"any","processors":{"persons":["boss","li"]},"deadline":[{"after":"1h","do":"remind"}],"next":"over"},{"id":"over","name":"Over","type":"end"}]}`

// asked is a ticket that waits for boss and li, with more acts on it.
func asked(t *testing.T, acts ...ticket.Command) ticket.Ticket {
	t.Helper()
	def, faults := flow.Parse([]byte(shownProcess))
	require.Empty(t, faults)
	events, err := ticket.Open(ticket.Draft{Channel: ticket.ChannelIssue, App: "demo", Origin: "customs", Title: "[a](//evil)", Service: def.Key, Definition: &def},
		ticket.Identity{ID: 1, Number: "IM202601020304050000000001", UUID: "u", Tenant: "a"}, "op-open", epoch)
	require.NoError(t, err)
	for _, c := range acts {
		c.Channel, c.App = ticket.ChannelIssue, "demo"
		more, err := ticket.Decide(ticket.Fold(ticket.Ticket{}, events), c, epoch)
		require.NoError(t, err)
		events = append(events, more...)
	}
	return ticket.Fold(ticket.Ticket{}, events)
}

func TestDetailsSayWhereATicketStands(t *testing.T) {
	open := details(asked(t), testPages)
	require.Contains(t, open, "[Open IM202601020304050000000001 on the pages](<https://box.example/ticket/IM202601020304050000000001>)")
	require.Contains(t, open, "**IM202601020304050000000001** `[a](//evil)`")
	require.Contains(t, open, "- at `Decide [x](//evil)` it waits for `boss` and `li`, until 2026-01-02 04:04:05 UTC")
	require.NotContains(t, open, "cannot go on")
	require.NotContains(t, details(asked(t), Pages{}), "](<", "without an address there is no link")

	suspended := details(asked(t, ticket.Command{Action: ticket.Suspend, Operator: "li", Note: "`[b](//evil)"}), testPages)
	require.Contains(t, suspended, "suspended since event 2")
	require.Contains(t, suspended, "its deadlines stand still: `'[b](//evil)`")
	require.NotContains(t, suspended, "until")

	ended := details(asked(t, ticket.Command{Action: ticket.Approve, Operator: "boss"}), testPages)
	require.Contains(t, ended, "completed since event 2")
	require.NotContains(t, ended, "waits")
}

// What is wrong is said where it is wrong.
func TestDetailsSayWhatIsWrong(t *testing.T) {
	node := func(n ticket.Node) string { return waits(n) }
	require.Equal(t, " it waits for nobody", node(ticket.Node{}))
	require.Equal(t, " it waits for anybody", node(ticket.Node{Asked: flow.Asked{Anyone: true}}))
	require.Equal(t, " a request is made", node(ticket.Node{Asked: flow.Asked{Type: flow.Call}}))
	many := make([]string, maxShown+5)
	for i := range many {
		many[i] = "p"
	}
	require.True(t, strings.HasSuffix(listed(many), "`p` and 5 more"), listed(many))

	gone := asked(t)
	for i := range gone.Position.Nodes { // nobody is left
		gone.Position.Nodes[i].Asked = nil
	}
	require.Contains(t, details(gone, testPages), "\n  - **cannot go on by itself:** `")
}

// Each action has an update of its own name, in which the command need not say it again, and may not say another.
func TestUpdatesAreCalledLikeTheirActions(t *testing.T) {
	b := newBench(t)
	refused := map[string]error{}
	send := func(after time.Duration, name, id string, c ticket.Command) {
		b.RegisterDelayedCallback(func() {
			b.UpdateWorkflow(name, id, &testsuite.TestUpdateCallback{OnAccept: func() {}, OnReject: func(err error) { refused[id] = err }, OnComplete: func(any, error) {}},
				HandleRequest{Command: c})
		}, after)
	}
	send(1*time.Minute, "accept", "one", ticket.Command{Operator: "li"})
	send(2*time.Minute, "suspend", "two", ticket.Command{Action: ticket.Terminate, Operator: "li"})
	send(3*time.Minute, "suspend", "three", ticket.Command{Action: ticket.Suspend, Operator: "li"})
	send(4*time.Minute, "terminate", "four", ticket.Command{Operator: "li", Note: "enough"})
	b.RegisterDelayedCallback(func() {
		require.Equal(t, ticket.Acknowledged, b.state().Status)
		require.False(t, b.state().Suspended)
	}, 150*time.Second)
	b.RegisterDelayedCallback(func() { require.True(t, b.state().Suspended) }, 200*time.Second)
	b.ExecuteWorkflow(Ticket, TicketInput{Events: opening(t)})
	require.NoError(t, b.GetWorkflowError())
	require.Len(t, refused, 1)
	require.ErrorContains(t, fromWire(refused["two"]), "action: is the name of the update, or left out")

	require.Equal(t, UpdateHandle, Updates()[0])
	for _, action := range ticket.HandleActions {
		require.Contains(t, Updates(), string(action))
	}
}
