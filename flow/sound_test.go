package flow

import (
	"encoding/json"

	"github.com/stretchr/testify/require"
)

// informed makes a step, again with what has to be looked up for as long as anything has.
func informed(t require.TestingT, p *Process, pos Position, env Env, in Input, look func(*Need) Facts) (Outcome, error) {
	for range 50 {
		out, err := sound(t, p, pos, env, in)
		need, wants := err.(*Need)
		if !wants {
			return out, err
		}
		require.True(t, p.LooksUp(), "facts are needed that the process does not ask for")
		found := look(need)
		for _, id := range need.Groups {
			require.NotContains(t, env.Facts.Groups, id, "it is asked for again")
			require.Contains(t, found.Groups, id)
		}
		for _, of := range need.Managers {
			require.NotContains(t, env.Facts.Managers, of, "it is asked for again")
		}
		env.Facts = env.Facts.With(found)
	}
	require.Fail(t, "it needs ever more facts")
	return Outcome{}, nil
}

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
		if _, need := refusal.(*Need); !need {
			require.IsType(t, &Error{}, refusal)
		}
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
