package flow

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// spent works an expression out over the largest fields that a form takes, and over an answer, and tells what it took.
func spent(t testing.TB, code, body string) (steps int, value any, err error) {
	p, ok := largest(t)
	sees := p.sees(p.nodes["b"])
	sees["body"] = answers["body"]
	f, err := compile(code, sees)
	if err != nil {
		return 0, nil, err
	}
	var read any
	require.NoError(t, DecodeExact([]byte(body), &read))
	r := &run{p: p, env: Env{Now: monday, Rules: RulesNow, Opener: "olga", Fields: ok}}
	names := r.world(p.nodes["b"]).names
	env := exprEnv{spent: &r.spent, names: func(name string) (any, bool) {
		if name == "body" {
			return read, true
		}
		return names(name)
	}}
	value, err = env.compute(f)
	return r.spent.steps, value, err
}

// largest is a process, and its opening form filled in as far as it goes.
func largest(t testing.TB) (*Process, map[string]any) {
	made := largestMade()
	require.NoError(t, made.err)
	return made.p, made.fields
}

var largestMade = sync.OnceValue(func() (made struct {
	p      *Process
	fields map[string]any
	err    error
}) {
	def, faults := Parse([]byte(`
key: large
name: Large
fields: [{key: ps, type: MEMBERS}, {key: qs, type: MEMBERS}, {key: t, type: TEXT}, {key: u, type: TEXT}, {key: i, type: INT}]
nodes:
- {id: b, name: B, type: branch, cases: [{when: 'opener == "x"', next: e}], default: e}
- {id: e, name: E, type: end}`))
	if made.p, made.err = Compile(def); len(faults) > 0 || made.err != nil {
		made.err = errors.Join(made.err, errors.New(faults.Error()))
		return made
	}
	people := make([]string, MaxItems)
	for i := range people {
		people[i] = fmt.Sprintf("person-%d", i)
	}
	made.fields, made.err = Fill(def.Fields, map[string]any{"ps": people, "qs": people, "t": strings.Repeat("ab", MaxText/2), "u": strings.Repeat("字", MaxText), "i": 7})
	return made
})

// What people write over lists and texts as large as forms take can be worked out.
func TestTheLargestFieldsAreWithinTheBudget(t *testing.T) {
	for code, want := range map[string]any{
		`all(fields.ps, {# in fields.qs})`:                       true,
		`count(fields.ps, # endsWith "7")`:                       json.Number("200"),
		`none(fields.ps, {# == opener})`:                         true,
		`len(fields.u) + len(fields.ps)`:                         json.Number("67536"),
		`fields.t contains "ba" && upper(fields.u) endsWith "字"`: true,
		`fields.u[0:2] + fields.t[-2:]`:                          "字字ab",
		`fields.t matches "^a.*b$"`:                              true,
	} {
		steps, got, err := spent(t, code, "null")
		require.NoError(t, err, "%s took %d", code, steps)
		require.Equal(t, want, got, code)
	}
}

// Nothing runs on: what has no end within the budget stops there, with a sentence, wherever the work is hidden.
func TestNothingTakesMoreThanItsBudget(t *testing.T) {
	different := make([]int, 4_000)
	for i := range different {
		different[i] = i
	}
	numbers, err := json.Marshal(different)
	require.NoError(t, err)
	list := "[0" + strings.Repeat(",0", 9) + "]"
	doubled := "let a0 = " + list + "; "
	for i := range 25 {
		doubled += fmt.Sprintf("let a%d = [a%d, a%d, a%d]; ", i+1, i, i, i)
	}
	text := "let a0 = fields.t; "
	for i := range 30 {
		text += fmt.Sprintf("let a%d = a%d + a%d; ", i+1, i, i)
	}
	for _, code := range []string{
		`all(body, {# in body})`,
		`all(body, {not (-1 in body)})`,
		`any(fields.ps, {lower(fields.u) contains #})`,
		`any(fields.ps, {fields.t matches # + "{9}"})`,
		`any(fields.ps, {fields.u[len(#):] == "x"})`,
		`any(fields.ps, {string(body) == #})`,
		`any(fields.ps, {fields.ps == fields.qs and false})`,
		`any(fields.ps, {max(body) == 1})`,
		`any(fields.ps, {trim(fields.t, fields.u) == #})`,
		doubled + "a25",
		doubled + "string(a25)",
		doubled + "a25 == a25 ? 1 : 2",
		text + "a30",
	} {
		steps, got, err := spent(t, code, string(numbers))
		require.ErrorContains(t, err, "takes more than the 50000 steps", "%s gave %v after %d", code, got, steps)
		again, _, second := spent(t, code, string(numbers))
		require.Equal(t, []any{steps, err.Error()}, []any{again, second.Error()}, code)
	}
}

// What one input has worked out is bounded in all: many expressions are no way around the budget.
func TestAllExpressionsOfAnInputHaveOneBudget(t *testing.T) {
	source := "key: many\nname: Many\nfields: [{key: ps, type: MEMBERS}]\nnodes:\n"
	for i := range 11 {
		source += fmt.Sprintf("- {id: b%d, name: B, type: branch, cases: [{when: 'any(fields.ps, # == string(%d))', next: done}], default: b%d}\n", i, i, i+1)
	}
	p := process(t, source+"- {id: b11, name: B, type: branch, cases: [{when: 'opener == \"x\"', next: done}], default: done}"+end)
	_, fields := largest(t)
	env := Env{Now: monday, Rules: RulesNow, Fields: map[string]any{"ps": fields["ps"]}}
	out, err := p.Step(Position{}, env, Start{})
	require.NoError(t, err)
	failed := out.States[len(out.States)-1]
	require.Equal(t, Failed, failed.State)
	require.Contains(t, failed.Reason, "together with what was worked out before it takes more than 100000 steps")
	// The next input begins anew.
	out, err = p.Step(Apply(Position{}, out.States), env, Act{Action: Retry, Actor: "root", Admin: true})
	require.NoError(t, err)
	require.NotNil(t, out.Ending)
}

// What could take more than its budget over fields as large as forms take is refused when it is published, whatever the fields of a ticket will be. A ticket
// that runs through such a definition goes on.
func TestAnExpressionThatCannotBeAffordedIsRefused(t *testing.T) {
	const source = `
key: dear
name: Dear
fields: [{key: ps, type: MEMBERS}, {key: qs, type: MEMBERS}, {key: t, type: TEXT}, {key: u, type: TEXT}]
nodes:
- {id: b, name: B, type: branch, cases: [{when: '%s', next: c}], default: c}
- {id: c, name: C, type: call, call: {url: 'https://h/x', headers: {H: '${%s}'}}, next: e}
- {id: e, name: E, type: end}`
	cheap := []string{`all(fields.ps, {# in fields.qs})`, `len(fields.ps) > 3 and fields.t contains "x"`}
	dear := []string{`any(fields.ps, {lower(fields.u) contains #})`, `opener == "x" and all(fields.ps, {fields.t startsWith fields.u + #})`,
		`opener == "x" ? true : none(fields.ps, {fields.t[1:] == #})`, `fields.t matches fields.u`}
	for _, code := range cheap {
		_, faults := Parse(fmt.Appendf(nil, source, code, "opener"))
		require.Empty(t, faults, code)
	}
	for _, code := range dear {
		def, faults := Parse(fmt.Appendf(nil, source, code, strings.ReplaceAll(code, "'", "")))
		require.Len(t, faults, 2, "%s %s", code, faults.Error())
		require.Equal(t, "over the largest values it takes more than the 50000 steps that an expression may take", faults[0].Message)
		require.Equal(t, []string{"nodes[0].cases[0].when", "nodes[1].call.headers.H"}, []string{faults[0].Path, faults[1].Path})
		_, err := Compile(def)
		require.NoError(t, err, "tickets may run through it")
	}
	many := "key: many\nname: Many\nfields: [{key: ps, type: MEMBERS}]\nnodes:\n"
	for i := range 150 {
		many += fmt.Sprintf("- {id: b%d, name: B, type: branch, cases: [{when: 'any(fields.ps, # endsWith opener)', next: e}], default: b%d}\n", i, i+1)
	}
	_, faults := Parse([]byte(many + "- {id: b150, name: B, type: branch, cases: [{when: 'opener == \"\"', next: e}], default: e}\n- {id: e, name: E, type: end}"))
	require.Len(t, faults, 1)
	require.Contains(t, faults[0].Message, "take more than 1000000 steps in all")
}

// What a request's answer is read by is held to the same when it is published, although nobody knows what an answer holds: each part of it may be a text or a
// list as large as the whole, and is worked through wherever the expression hides it.
func TestReadingAnAnswerHasToBeAffordable(t *testing.T) {
	const source = `
key: reader
name: Reader
nodes:
- {id: c, name: C, type: call, call: {url: 'https://h/x', success: '%s', answer: {y: '%s'}}, fields: [{key: y, type: STRING}], next: e}
- {id: e, name: E, type: end}`
	for _, code := range []string{
		`status == 201 and body.id != ""`, `any(body.items, {#.name == "x" and #.size > 3})`, `status in body.list`, `body.a == body.b`, `len(body.text) > 3 and "x" in headers`,
		`lower(headers["x-state"]) startsWith "done"`, `body.code[:20] matches "^[A-Z]{3}$"`, `max(body.sizes) > min(body.sizes)`, `body?.x?.y ?? true`, `not body.ok`,
		`all(body.items, {#.tags[0] == body.items[0].tags[0]})`, `body.text + "x" == string(body.number)`, `body`,
	} {
		_, faults := Parse(fmt.Appendf(nil, source, "status == 200", code))
		require.Empty(t, faults, code)
	}
	for _, code := range []string{
		`any(body.items, {body.text contains #})`, `any(body.items, {body.a.b[0].c contains #.name})`, `all(body, {len(body.text) > 3})`, `none(body.l, {body.l == [body.text + "y"]})`,
		`any(body.l, {string(body) == "x"})`, `any(body.l, {lower(headers["x"]) == "y"})`, `any(body.l, {body.t[1:] == "y"})`, `any(body.l, {#.ok or # in body.l})`, `count(body, # in body.list) > 0`, `body.t matches "(a|b){9}"`,
		`status == 200 ? true : count(body.l, max(body.sizes) == 1) > 0`, `any(body.l, {#.ok and not (body.x.y endsWith body.z)})`, `any(body.l, {[body.x] == [1] or body.x < body.y})`, `any(body.l[1:], {body.t contains #})`,
	} {
		def, faults := Parse(fmt.Appendf(nil, source, code, code))
		require.Len(t, faults, 2, "%s %s", code, faults.Error())
		require.Equal(t, []string{"nodes[0].call.success", "nodes[0].call.answer.y"}, []string{faults[0].Path, faults[1].Path})
		require.Equal(t, "over the largest values it takes more than the 50000 steps that an expression may take", faults[0].Message, code)
		_, err := Compile(def)
		require.NoError(t, err, "tickets may run through it")
	}
}

// FuzzBudget: whatever is written, it comes to something, or to a sentence, within the budget, and to the same each time.
func FuzzBudget(f *testing.F) {
	for _, code := range []string{`all(fields.ps, {# in fields.qs})`, `fields.t[1:3] + fields.u`, `fields.i / 0`, `let a = [fields.ps]; [a, a]`, `body.x?.y ?? fields.i % 3`,
		`now.Add(duration("1h")) > now ? "a" : 1.50`, `{"a": fields.i}["a"]`, `count(body, # > 1) in [1, 2.0]`, `not (fields.t matches "(a|b){3}")`} {
		f.Add(code, `[1, {"x": 1e400}, "t", null, 7615917337495251231]`)
	}
	f.Fuzz(func(t *testing.T, code, body string) {
		var read any
		if DecodeExact([]byte(body), &read) != nil {
			body = "null"
		}
		steps, value, err := spent(t, code, body)
		if err == nil {
			require.LessOrEqual(t, steps, MaxSteps)
		}
		again, same, second := spent(t, code, body)
		require.Equal(t, steps, again)
		require.Equal(t, fmt.Sprint(value, err), fmt.Sprint(same, second))
	})
}
