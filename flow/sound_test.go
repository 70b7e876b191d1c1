package flow

import (
	"encoding/json"

	"github.com/stretchr/testify/require"
)

// sound makes a step and holds it against everything that must be true of every step.
func sound(t require.TestingT, p *Process, pos Position, env Env, in Input) (Outcome, error) {
	before, err := json.Marshal(pos)
	require.NoError(t, err)
	fields, err := json.Marshal(env.Fields)
	require.NoError(t, err)

	out, refusal := p.Step(pos, env, in)
	after, _ := json.Marshal(pos)
	require.Equal(t, string(before), string(after), "a step changed the position it was given")
	left, _ := json.Marshal(env.Fields)
	require.Equal(t, string(fields), string(left), "a step changed the fields it was given")

	// The same from a position that went through JSON, byte for byte.
	var thawed Position
	require.NoError(t, json.Unmarshal(before, &thawed))
	again, refusedAgain := p.Step(thawed, env, in)
	one, _ := json.Marshal(out)
	two, _ := json.Marshal(again)
	require.Equal(t, string(one), string(two), "a step depends on more than its arguments")
	require.Equal(t, refusal == nil, refusedAgain == nil)
	if refusal != nil {
		require.IsType(t, &Error{}, refusal)
		require.Empty(t, out, "a refused input changed something")
		return out, refusal
	}
	next := Apply(pos, out.States)
	require.Equal(t, "", p.fits(next), "tokens were lost or doubled")
	for _, s := range out.States {
		kept, ok := next.Find(s.Node)
		require.True(t, ok)
		require.Equal(t, s, kept)
	}
	round, err := json.Marshal(next)
	require.NoError(t, err)
	var back Position
	require.NoError(t, json.Unmarshal(round, &back))
	require.Equal(t, next, back, "a position does not go through JSON unchanged")
	return out, nil
}

// note writes down which words of the vocabulary took part in a step.
func (pl *player) note(out Outcome) {
	use := func(enum, word string) { pl.used[enum+"="+word] = true }
	use("service_type", pl.p.def.ServiceType)
	for _, s := range out.States {
		n := pl.p.nodes[s.Node]
		use("type", string(n.Type))
		if n.Type == Call {
			use("call.method", n.request.method)
		}
		if n.Type == End && s.State == Done {
			use("end.status", string(n.Status))
		}
		if n.Type == Approval && s.State == Done {
			use("rule", string(n.Rule))
			use("finish", n.Finish)
		}
		if n.Type == Task && s.State == Done {
			use("action", string(n.Action))
			use("distribute", string(n.Distribute))
		}
		if s.Result != nil && !*s.Result && s.State == Done {
			use("reject.then", string(n.Reject.Then))
		}
		if s.Stage > 0 {
			stage := n.Deadline[s.Stage-1]
			use("deadline.do", string(stage.Do))
			if stage.Do == DoEscalate && stage.Mode == "" {
				use("escalate.mode", "add")
			}
			use("escalate.mode", stage.Mode)
		}
		for _, f := range n.Fields {
			if _, filled := out.Fields[f.Key]; filled {
				use("field.type", string(f.Type))
			}
		}
	}
	if out.Status != "" {
		use("status", string(out.Status))
	}
}
