package ticket_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/ticket"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 678_901_000, time.UTC)

var identity = ticket.Identity{ID: 7, Number: "IM202601020304050000000007", UUID: "0b0f2c9e-7a51-4f0e-9a67-000000000007", Tenant: "a"}

// tester is what *testing.T and *rapid.T have in common.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
	FailNow()
}

func draft() ticket.Draft {
	return ticket.Draft{Channel: ticket.ChannelIssue, App: "demo", Origin: "customs", Title: "a case", Opener: "wang"}
}

func open(t tester, d ticket.Draft) (ticket.Ticket, []ticket.Event) {
	t.Helper()
	events, err := ticket.Open(d, identity, "op-open", epoch)
	require.NoError(t, err)
	return ticket.Fold(ticket.Ticket{}, events), events
}

// do decides at the epoch and folds; it fails the test on a refusal.
func do(t tester, on ticket.Ticket, c ticket.Command) (ticket.Ticket, []ticket.Event) {
	t.Helper()
	events, err := ticket.Decide(on, c, epoch)
	require.NoError(t, err)
	return ticket.Fold(on, events), events
}

// command makes a complete command for any action.
func command(action ticket.Action) ticket.Command {
	c := ticket.Command{Action: action, Operator: "li", Channel: ticket.ChannelIssue, App: "demo", Operation: "op-" + string(action)}
	switch action {
	case ticket.CommitSolution:
		c.Solution = &ticket.Solution{Type: "inc_type_p_config_issues", Cause: "cause", Text: "solution"}
	case ticket.Confirm:
		c.Verdict = &ticket.Verdict{Passed: true, Comment: "good"}
	case ticket.Relate:
		c.Relation = &ticket.Relation{Type: "manifest", Content: []string{"1"}}
	case ticket.Say, ticket.Revise:
		c.Message = &ticket.Message{ID: "m1", Author: "li", Content: "hello"}
	case ticket.Report:
		c.Statement = &ticket.Statement{System: "JIRA", Issue: "RECON-1234", Status: ticket.Acknowledged, Assignee: "zhang"}
	}
	return c
}

// in gives a ticket that stands in the phase.
func in(t tester, phase string) ticket.Ticket {
	t.Helper()
	on, _ := open(t, draft())
	steps := map[string][]ticket.Action{
		"triggered": {}, "acknowledged": {ticket.Accept}, "resolved": {ticket.Accept, ticket.CommitSolution},
		"completed": {ticket.Accept, ticket.CommitSolution, ticket.Confirm}, "terminated": {ticket.Terminate}, "revoked": {ticket.Withdraw},
		"suspended": {ticket.Accept, ticket.Suspend},
	}
	for _, action := range steps[phase] {
		c := command(action)
		if action == ticket.Withdraw {
			c.Operator = "wang"
		}
		on, _ = do(t, on, c)
	}
	require.Equal(t, phase, on.Phase())
	return on
}

// chars gives n characters of three bytes each.
func chars(n int) string { return strings.Repeat("异", n) }

func items(n int, prefix string) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("%s%d", prefix, i)
	}
	return out
}

func asJSON(t tester, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	require.NoError(t, err)
	return string(raw)
}

// through sends a value through JSON.
func through[T any](t tester, v T) T {
	t.Helper()
	var out T
	require.NoError(t, json.Unmarshal([]byte(asJSON(t, v)), &out))
	return out
}

func refusal(t *testing.T, err error, code ticket.Code, field string) *ticket.Error {
	t.Helper()
	e := ticket.AsError(err)
	require.NotNil(t, e, "%v", err)
	require.Equal(t, code, e.Code, "%v", err)
	require.Equal(t, field, e.Field, "%v", err)
	return e
}

// check gives what is wrong with a draft.
func check(d ticket.Draft) error {
	_, err := d.Check()
	return err
}
