package flow

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What comes of a request while the ticket is suspended moves no token: what follows from it follows when the ticket is resumed.
func TestWhoIsFoundInASuspension(t *testing.T) {
	source := `
- {id: v, name: V, type: approval, if_nobody: skip, processors: {http: {url: 'https://who/'}}, next: done}` + end
	for body, want := range map[string]string{
		`["ann"]`: "v[ann]", `[]`: "completed approved", `{}`: "v:failed[]",
	} {
		pl := play(t, source)
		pl.lines(`start => v:calling`)
		call := pl.p.Calls(pl.pos, pl.env)[0]
		pl.lines(`suspend => v:calling`)
		pl.step(answer(call, []string{"ok", body}))
		require.True(t, pl.pos.Running(), body)
		require.False(t, pl.pos.Awaits(call.Key), body)
		require.Empty(t, pl.p.Calls(pl.pos, pl.env))
		pl.lines(`resume => ` + want)
	}
}

// Nothing but the answer to the request that is pending says who is asked.
func TestALateAnswerFindsNobody(t *testing.T) {
	pl := play(t, seeking)
	pl.lines(`start => v:calling`)
	call := pl.p.Calls(pl.pos, pl.env)[0]
	pl.lines(`called fail => v:failed[]`)
	late := answer(call, []string{"ok", `{"people":["eve"]}`})
	require.Equal(t, "v:failed[]", pl.step(late))
	pl.lines(`retry by root admin => v:calling`)
	require.Equal(t, "v:calling", pl.step(late))
	pl.lines(`reassign by root admin to joe => v[joe]`)
	require.Equal(t, "v[joe]", pl.step(late))
}

func TestWhatIsNoListOfPersons(t *testing.T) {
	many := make([]string, MaxItems+1)
	for i := range many {
		many[i] = fmt.Sprintf(`"p%d"`, i)
	}
	for body, says := range map[string]string{
		`{"people":{}}`:                                         "answer persons: {} is no list of persons",
		`{"people":["ann",{"id":"bob"}]}`:                       `["ann",{"id":"bob"}] is no list of persons, but has {"id":"bob"} in it`,
		`{"people":["ann",""]}`:                                 `answer persons: "" is no name`,
		`{"people":["a\nb"]}`:                                   `"a\nb" is no name`,
		`{"people":["` + strings.Repeat("x", MaxName+1) + `"]}`: "is no name",
		`{"people":[` + strings.Join(many, ",") + `]}`:          "must have at most 2000 persons, not 2001",
		`nobody`: "answer persons:",
		`{"people":["` + strings.Repeat("x", MaxAnswer) + `"]}`: "the answer has",
	} {
		pl := play(t, seeking)
		pl.lines(`start => v:calling`)
		pl.do("called ok " + body)
		problem := pl.p.Waiting(pl.pos)[0].Problem
		require.Contains(t, problem, "who is asked could not be found out: ")
		require.Contains(t, problem, says, body)
		require.Contains(t, problem, ": an admin can retry it, or reassign it")
		require.Nil(t, pl.pos.Nodes[0].Result)
	}
}

// A request that cannot be made from the ticket's fields is shown like one that nobody answers.
func TestARequestForPeopleThatCannotBeMade(t *testing.T) {
	pl := play(t, `
- {id: v, name: V, type: approval, processors: {http: {url: 'https://who/${fields.team}/'}}, next: done}`+end+`
fields: [{key: team, type: STRING}]`)
	pl.lines(`start => v:failed[]`)
	require.Contains(t, pl.p.Waiting(pl.pos)[0].Problem, "${fields.team} is empty")
}

// To whom it is sent a request stays the same when the ticket is moved to another version.
func TestAMigrationWhileSomebodyIsFound(t *testing.T) {
	pl := play(t, seeking)
	pl.lines(`start => v:calling`)
	call := pl.p.Calls(pl.pos, pl.env)[0]
	plain := process(t, `
- {id: v, name: Vote, type: approval, processors: {persons: [ann]}, next: done}`+end)
	_, reasons := Migrate(pl.p, plain, pl.pos, nil, RulesNow, RulesNow, pl.env.Now)
	require.Equal(t, []Reason{{"v", `whom it asks is being asked for, which "v" does not do: it can be reassigned before`}}, reasons)

	target := process(t, strings.NewReplacer("id: v", "id: w", "to: v", "to: w").Replace(seeking))
	moved, reasons := Migrate(pl.p, target, pl.pos, map[string]string{"v": "w"}, RulesNow, RulesNow, pl.env.Now)
	require.Empty(t, reasons)
	pl.p, pl.pos = target, moved
	require.Equal(t, call.Key, pl.p.Calls(pl.pos, pl.env)[0].Key)
	require.Equal(t, "w[ann bob]", pl.step(answer(call, []string{"ok", `{"people":["bob"]}`})))
}
