package api_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/ticket"
)

func TestDecode(t *testing.T) {
	type inner struct {
		Type  *string  `json:"type"`
		Items []string `json:"items"`
		Flag  *api.Flag
	}
	type body struct {
		Name  *string         `json:"name"`
		Count *int            `json:"count"`
		List  []inner         `json:"list"`
		Raw   json.RawMessage `json:"raw"`
		Any   map[string]any  `json:"any"`
		Yes   *api.Flag       `json:"yes"`
	}
	for name, c := range map[string]struct{ raw, says string }{
		"empty":             {"", "body: is required and must be JSON"},
		"blank":             {" \r\n\t", "body: is required and must be JSON"},
		"text after":        {`{} {}`, "body: is not well-formed JSON"},
		"cut off":           {`{"name":"a`, "body: is not well-formed JSON"},
		"NaN":               {`{"count":NaN}`, "body: is not well-formed JSON"},
		"bad UTF-8":         {"{\"name\":\"\xc3\x28\"}", "body: must be valid UTF-8"},
		"bad UTF-8 unread":  {"{\"other\":\"\xc3\x28\"}", "body: must be valid UTF-8"},
		"half surrogate":    {`{"name":"\udc00"}`, "body: is not well-formed JSON"},
		"byte order mark":   {"\ufeff{}", "body: is not well-formed JSON"},
		"list at the top":   {`[{}]`, "body: must be an object"},
		"number for text":   {`{"name":1}`, "name: must be a string"},
		"text for number":   {`{"count":"1"}`, "count: must be a whole number in its range"},
		"fraction":          {`{"count":1.5}`, "count: must be a whole number in its range"},
		"out of range":      {`{"count":1e30}`, "count: must be a whole number in its range"},
		"object for list":   {`{"list":{}}`, "list: must be an array"},
		"text for object":   {`{"list":[{},"x"]}`, "list[1]: must be an object"},
		"deep inside":       {`{"list":[{"items":["a",{}]}]}`, "list[0].items[1]: must be a string"},
		"flag":              {`{"yes":"yes"}`, "yes: must be true or false"},
		"flag of other key": {`{"list":[{"Flag":0}]}`, "list[0].Flag: must be true or false"},
		"list for map":      {`{"any":[]}`, "any: must be an object"},
		"very deep":         {strings.Repeat(`{"any":`, 20_000), "body: is not well-formed JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			var b body
			err := api.DecodeJSON([]byte(c.raw), &b)
			require.True(t, ticket.Is(err, ticket.Invalid), "%v", err)
			require.EqualError(t, err, c.says)
		})
	}
	var b body
	require.NoError(t, api.DecodeJSON([]byte(`{"NAME":"x","name":"first","name":"last","raw":{"b": 1},"yes":"false","count":null,"unknown":[1]}`), &b))
	require.Equal(t, "last", *b.Name)
	require.JSONEq(t, `{"b":1}`, string(b.Raw))
	require.Equal(t, api.Flag(false), *b.Yes)
	require.Nil(t, b.Count)
	b = body{}
	require.NoError(t, api.DecodeJSON([]byte(`{"NAME":"x"}`), &b))
	require.Nil(t, b.Name, "names match exactly")
}

func TestParameter(t *testing.T) {
	types := []string{"inc_type_p_config_issues"}
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
		"commit, foreign type":  {ticket.CommitSolution, strings.Replace(commit, "config_issues", "x", 1), []string{"mtm_type: is none of inc_type_p_config_issues"}},
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
			err := api.Parameter(&cmd, json.RawMessage(c.raw), types)
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
	require.NoError(t, api.Parameter(&cmd, json.RawMessage(commit), types))
	require.Equal(t, &ticket.Solution{Type: "inc_type_p_config_issues", Interrupted: true, Cause: "100001", Text: "20001"}, cmd.Solution)
	cmd = ticket.Command{Action: ticket.Confirm}
	require.NoError(t, api.Parameter(&cmd, json.RawMessage(confirm), types))
	require.Equal(t, &ticket.Verdict{Passed: false, Comment: "13"}, cmd.Verdict)
}
