package flow

import (
	"encoding/json"
	"reflect"

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

	var thawed Position
	require.NoError(t, json.Unmarshal(before, &thawed))

	out, refusal := p.Step(pos, env, in)
	same(t, thawed, pos, "a step changed the position it was given")
	left, _ := json.Marshal(env.Fields)
	require.Equal(t, string(fields), string(left), "a step changed the fields it was given")

	// The same from a position that went through JSON, byte for byte.
	again, refusedAgain := p.Step(thawed, env, in)
	same(t, out, again, "a step depends on more than its arguments")
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

// same requires two values to be the same as JSON. Most are the same as they stand, which is seen sooner.
func same(t require.TestingT, want, got any, why string) {
	if reflect.DeepEqual(want, got) {
		return
	}
	one, _ := json.Marshal(want)
	two, _ := json.Marshal(got)
	require.Equal(t, string(one), string(two), why)
}
