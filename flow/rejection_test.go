package flow

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// Who says no answers the question and not the form, at an approval and at a confirm alike: required fields may stay empty, nothing is filled in by
// default, and what is filled in is checked and kept. Tickets of the first rules go on as they were told.
func TestARejectionIsAskedForNoForm(t *testing.T) {
	const form = `fields: [{key: why, type: STRING, required: true}, {key: n, type: INT}, {key: d, type: STRING, default: x}]`
	nodes := map[Action]string{
		Confirm: `- {id: q, name: Q, type: task, action: confirm, processors: {persons: [ann]}, ` + form + `, reject: {then: end}, next: done}`,
		Reject:  `- {id: q, name: Q, type: approval, processors: {persons: [ann]}, ` + form + `, reject: {then: end}, next: done}`,
	}
	for name, c := range map[string]struct {
		rules  Rules
		action Action
		fields map[string]any
		want   map[string]any
		why    string
	}{
		"a confirm":                              {RulesWeighed, Confirm, nil, nil, ""},
		"a vote":                                 {RulesWeighed, Reject, nil, nil, ""},
		"a confirm with something":               {RulesWeighed, Confirm, map[string]any{"n": 7.0}, map[string]any{"n": json.Number("7")}, ""},
		"a vote with something":                  {RulesWeighed, Reject, map[string]any{"why": "no"}, map[string]any{"why": "no"}, ""},
		"a vote with an empty one":               {RulesWeighed, Reject, map[string]any{"why": ""}, map[string]any{"why": ""}, ""},
		"a confirm with what does not fit":       {RulesWeighed, Confirm, map[string]any{"n": "x"}, nil, "n: must be a whole number"},
		"a vote with what the form has not":      {RulesWeighed, Reject, map[string]any{"x": 1.0}, nil, "x: the form has no such field"},
		"a confirm, by the first rules":          {RulesFirst, Confirm, nil, nil, "why: is required"},
		"a vote, by the first rules":             {RulesFirst, Reject, nil, nil, ""},
		"a vote with some, by the first rules":   {RulesFirst, Reject, map[string]any{"n": 7.0}, nil, "why: is required"},
		"a vote with all, by the first rules":    {RulesFirst, Reject, map[string]any{"why": "no"}, map[string]any{"why": "no", "d": "x"}, ""},
		"a confirm with all, by the first rules": {RulesFirst, Confirm, map[string]any{"why": "no"}, map[string]any{"why": "no", "d": "x"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := process(t, nodes[c.action]+end)
			env := newEnv()
			env.Rules = c.rules
			began, err := p.Step(Position{}, env, Start{})
			require.NoError(t, err)
			out, err := sound(t, p, Apply(Position{}, began.States), env, Act{Action: c.action, Actor: "ann", Fields: c.fields})
			if c.why != "" {
				require.ErrorContains(t, err, c.why)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, out.Fields)
			require.Equal(t, Terminated, out.Ending.Status)
		})
	}
}

// Who says yes fills in everything that is required.
func TestAnApprovalIsAskedForTheWholeForm(t *testing.T) {
	p := process(t, `- {id: q, name: Q, type: task, action: confirm, processors: {persons: [ann]}, fields: [{key: why, type: STRING, required: true}], reject: {then: end}, next: done}`+end)
	env := newEnv()
	env.Rules = RulesNow
	began, err := p.Step(Position{}, env, Start{})
	require.NoError(t, err)
	_, err = p.Step(Apply(Position{}, began.States), env, Act{Action: Confirm, Actor: "ann", Pass: true})
	require.ErrorContains(t, err, "why: is required")
}
