package parameter_test

import (
	"encoding/json"
	"signalbox/api/parameter"
	"signalbox/ticket"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParameter(t *testing.T) {
	commit := `{"mtm_type":"inc_type_p_config_issues","is_service_interrupt":true,"cause":"100001","solution":"20001"}`
	confirm := `{"virtual_confirm_result":false,"virtual_confirm_comment":"13"}`
	for name, c := range map[string]struct {
		action ticket.Action
		raw    string
		says   []string // empty: it is taken
	}{
		"accept, nothing":       {ticket.Accept, ``, nil},
		"accept, null":          {ticket.Accept, `null`, nil},
		"accept, empty":         {ticket.Accept, `{}`, nil},
		"accept, something":     {ticket.Accept, `{"cause":1}`, nil},
		"accept, a string":      {ticket.Accept, `"x"`, []string{"parameter: must be an object"}},
		"commit, the seed's":    {ticket.CommitSolution, commit, nil},
		"commit, text for bool": {ticket.CommitSolution, strings.Replace(commit, "true", `"true"`, 1), nil},
		"commit, full length":   {ticket.CommitSolution, strings.Replace(commit, "100001", strings.Repeat("因", 10_000), 1), nil},
		"commit, too long":      {ticket.CommitSolution, strings.Replace(commit, "100001", strings.Repeat("因", 10_001), 1), []string{"cause: must have at most 10000"}},
		"commit, nothing":       {ticket.CommitSolution, ``, []string{"mtm_type", "is_service_interrupt", "cause", "solution"}},
		"commit, null":          {ticket.CommitSolution, `null`, []string{"mtm_type", "is_service_interrupt", "cause", "solution"}},
		"commit, bool null":     {ticket.CommitSolution, strings.Replace(commit, "true", `null`, 1), []string{"is_service_interrupt: is required"}},
		"commit, bool 1":        {ticket.CommitSolution, strings.Replace(commit, "true", `1`, 1), []string{"is_service_interrupt: must be true or false"}},
		"commit, empty cause":   {ticket.CommitSolution, strings.Replace(commit, "100001", "", 1), []string{"cause: is required"}},
		"commit, a list":        {ticket.CommitSolution, `[]`, []string{"parameter: must be an object"}},
		"confirm, the seed's":   {ticket.Confirm, confirm, nil},
		"confirm, text":         {ticket.Confirm, strings.Replace(confirm, "false", `"false"`, 1), nil},
		"confirm, no result":    {ticket.Confirm, `{"virtual_confirm_comment":"13"}`, []string{"virtual_confirm_result: is required"}},
		"confirm, no comment":   {ticket.Confirm, `{"virtual_confirm_result":true}`, []string{"virtual_confirm_comment: is required"}},
		"confirm, long comment": {ticket.Confirm, strings.Replace(confirm, "13", strings.Repeat("长", 301), 1), []string{"virtual_confirm_comment: must have at most 300"}},
		"confirm, a number":     {ticket.Confirm, strings.Replace(confirm, `"13"`, `13`, 1), []string{"virtual_confirm_comment: must be a string"}},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := ticket.Command{Action: c.action, Operator: "a"}
			err := parameter.Fill(&cmd, json.RawMessage(c.raw))
			if err == nil {
				err = cmd.Check() // as the desk does
			}
			if len(c.says) == 0 {
				require.NoError(t, err)
				return
			}
			require.True(t, ticket.Is(err, ticket.Invalid))
			for _, says := range c.says {
				require.ErrorContains(t, err, says)
			}
		})
	}
	cmd := ticket.Command{Action: ticket.CommitSolution}
	require.NoError(t, parameter.Fill(&cmd, json.RawMessage(commit)))
	require.Equal(t, &ticket.Solution{Type: "inc_type_p_config_issues", Interrupted: true, Cause: "100001", Text: "20001"}, cmd.Solution)
	cmd = ticket.Command{Action: ticket.Confirm}
	require.NoError(t, parameter.Fill(&cmd, json.RawMessage(confirm)))
	require.Equal(t, &ticket.Verdict{Passed: false, Comment: "13"}, cmd.Verdict)
}
