package ticket_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/flow"
	"signalbox/ticket"
)

// The words taken for a solution's type are those that the ticket was opened with. A ticket that has none takes those of the day, which come with
// the command; without those it takes any.
func TestTheTypesOfASolutionArePinned(t *testing.T) {
	for name, c := range map[string]struct {
		pinned, ofTheDay []string
		typed            string
		taken            bool
	}{
		"pinned":                {[]string{"a", "b"}, nil, "a", true},
		"since widened":         {[]string{"a"}, []string{"a", "b"}, "b", false},
		"since narrowed":        {[]string{"a", "b"}, []string{"a"}, "b", true},
		"none pinned":           {nil, []string{"a"}, "a", true},
		"none pinned, made up":  {nil, []string{"a"}, "b", false},
		"nothing says anything": {nil, nil, "b", true},
	} {
		d := draft()
		d.Types = c.pinned
		events, err := ticket.Open(d, ticket.Identity{ID: 1, Number: "IM1", UUID: "u", Tenant: "a"}, "op", epoch)
		require.NoError(t, err)
		on := ticket.Fold(ticket.Ticket{}, events)
		more, err := ticket.Decide(on, ticket.Command{Action: ticket.Accept, Operator: "li", Channel: ticket.ChannelIssue, App: "demo"}, epoch)
		require.NoError(t, err)
		on = ticket.Fold(on, more)
		solve := ticket.Command{Action: ticket.CommitSolution, Operator: "li", Channel: ticket.ChannelIssue, App: "demo", Types: c.ofTheDay,
			Solution: &ticket.Solution{Type: c.typed, Cause: "c", Text: "s"}}
		_, err = ticket.Decide(on, solve, epoch)
		require.Equal(t, c.taken, err == nil, "%s: %v", name, err)
		if !c.taken {
			refusal(t, err, ticket.Invalid, "mtm_type")
		}
	}
}

// Through Temporal nobody acts without a name. An app may suspend or end a ticket without one; whatever people alone do has a name by every
// channel, unless the ticket was opened under earlier rules.
func TestWhoActsHasAName(t *testing.T) {
	events, err := ticket.Open(draft(), ticket.Identity{ID: 1, Number: "IM1", UUID: "u", Tenant: "a"}, "op", time.Time{}.Add(1))
	require.NoError(t, err)
	for _, c := range []struct {
		action  ticket.Action
		channel ticket.Channel
		rules   flow.Rules
		taken   bool
	}{
		{ticket.Accept, ticket.ChannelIssue, flow.RulesNow, false},
		{ticket.Accept, ticket.ChannelSignal, flow.RulesNow, false},
		{ticket.Accept, ticket.ChannelSignal, flow.RulesWeighed, true},
		{ticket.Suspend, ticket.ChannelIssue, flow.RulesNow, true},
		{ticket.Suspend, ticket.ChannelSignal, flow.RulesNow, false},
		{ticket.Suspend, ticket.ChannelSignal, flow.RulesWeighed, true},
		{ticket.Close, ticket.ChannelSignal, flow.RulesNow, true},
	} {
		events[0].After.Rules = c.rules
		_, err := ticket.Decide(ticket.Fold(ticket.Ticket{}, events), ticket.Command{Action: c.action, Channel: c.channel, App: "demo"}, epoch)
		require.Equal(t, c.taken, err == nil, "%+v: %v", c, err)
		if !c.taken {
			refusal(t, err, ticket.Invalid, "operator")
		}
	}
}

// TestWhatAnActionHasNoPlaceForIsRefused: by the rules of the day, whatever door it comes through; a ticket of before passes it over, as it always did.
func TestWhatAnActionHasNoPlaceForIsRefused(t *testing.T) {
	for _, c := range []struct {
		command ticket.Command
		field   string
	}{
		{ticket.Command{Action: ticket.Accept, Operator: "li", Targets: []string{"wang"}}, "targets"},
		{ticket.Command{Action: ticket.Accept, Operator: "li", Resend: true}, "resend"},
		{ticket.Command{Action: ticket.Suspend, Operator: "li", Targets: []string{"wang"}}, "targets"},
	} {
		for _, rules := range []flow.Rules{flow.RulesNow, flow.RulesWeighed} {
			t.Run(fmt.Sprint(c.command.Action, c.field, rules), func(t *testing.T) {
				tk := in(t, "triggered")
				tk.Rules = rules
				events, err := ticket.Decide(tk, c.command, epoch)
				if rules < flow.RulesComplete {
					require.NoError(t, err)
					require.Len(t, events, 1)
					return
				}
				refusal := ticket.AsError(err)
				require.NotNil(t, refusal)
				require.Equal(t, []any{ticket.Invalid, c.field}, []any{refusal.Code, refusal.Field})
			})
		}
	}
}

// TestTheMembersOfAParameterAreNamedOnce: who reads them and who lists them go by the tags.
func TestTheMembersOfAParameterAreNamedOnce(t *testing.T) {
	var p ticket.Parameter
	var names []string
	p.Read(func(name string, into any) {
		names = append(names, name)
		require.NoError(t, json.Unmarshal([]byte(map[bool]string{true: `"true"`, false: `"1"`}[strings.HasPrefix(name, "is_") || strings.HasSuffix(name, "_result")]), into), name)
	})
	require.Equal(t, ticket.Parameter{}.Names(), names)
	require.Equal(t, []string{"mtm_type", "is_service_interrupt", "cause", "solution", "start_time", "fault_recovery_time", "virtual_confirm_result", "virtual_confirm_comment"}, names)
}
