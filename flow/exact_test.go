package flow

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// courier is a process that sends what it was given, takes what is answered, and decides by it.
const courier = `
key: courier
name: Courier
fields: [{key: i, type: INT}, {key: j, type: INT}, {key: s, type: TEXT}, {key: ms, type: MEMBERS}]
nodes:
- id: c
  name: C
  type: call
  call:
    url: 'https://host/x?i=${fields.i}&s=${fields.s}'
    body: {i: '${fields.i}', s: '${fields.s}', text: 'i=${fields.i}'}
    answer: {i: body.i, s: body.s, digits: string(body.i)}
  fields: [{key: digits, type: STRING}]
  processors: {persons: [ops]}
  next: done
- {id: done, name: Done, type: end}`

// carried plays courier: what goes in, as JSON, what is sent, and what is kept of an answer that is the body that was sent.
func carried(t require.TestingT, p *Process, fields string) (call PendingCall, kept map[string]any) {
	var given Values
	require.NoError(t, json.Unmarshal([]byte(fields), &given))
	filled, err := Fill(p.Definition().Fields, given)
	require.NoError(t, err)
	env := Env{Now: monday, Rules: RulesNow, Fields: over(t, filled)}
	out, err := p.Step(Position{}, env, Start{})
	require.NoError(t, err)
	pos := Apply(Position{}, out.States)
	calls := p.Calls(pos, env)
	require.Len(t, calls, 1)
	require.Empty(t, calls[0].Problem)
	out, err = p.Step(pos, env, Called{Node: "c", Round: 1, Try: 1, Status: 200, Body: calls[0].Body})
	require.NoError(t, err)
	require.NotNil(t, out.Ending, "%v", out.ProcessLog)
	return calls[0], over(t, out.Fields)
}

// over carries values through JSON, as a ticket's are.
func over(t require.TestingT, values map[string]any) map[string]any {
	raw, err := json.Marshal(values)
	require.NoError(t, err)
	var back Values
	require.NoError(t, json.Unmarshal(raw, &back))
	return back
}

// What is sent is what is kept, shown, sent on and taken from an answer, digit by digit and character by character.
func TestValuesArriveAsTheyWereSent(t *testing.T) {
	p := process(t, courier)
	rapid.Check(t, func(t *rapid.T) {
		i := rapid.Int64().Draw(t, "i")
		s := rapid.StringOfN(rapid.Rune().Filter(func(r rune) bool { return r != 0 }), 0, 50, -1).Draw(t, "s")
		text, err := json.Marshal(s)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, &s)) // what JSON can say
		call, kept := carried(t, p, fmt.Sprintf(`{"i":%d,"s":%s}`, i, text))
		digits := fmt.Sprint(i)
		require.Equal(t, map[string]any{"i": json.Number(digits), "s": s, "digits": digits}, kept)
		require.Equal(t, fmt.Sprintf("https://host/x?i=%d&s=%s", i, escape(s)), call.URL)
		var sent Values
		require.NoError(t, json.Unmarshal([]byte(call.Body), &sent))
		require.Equal(t, Values{"i": json.Number(digits), "s": s, "text": "i=" + digits}, sent)
	})
}

// What an answer says is passed on with the digits that it has, however many.
func TestNumbersOfAnswersKeepTheirDigits(t *testing.T) {
	p := process(t, strings.Replace(courier, "i: body.i, s: body.s, ", "s: string(body.list), ", 1))
	env := Env{Now: monday, Rules: RulesNow, Fields: map[string]any{"s": "x"}}
	began, err := p.Step(Position{}, env, Start{})
	require.NoError(t, err)
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.StringMatching(`-?(0|[1-9][0-9]{0,60})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?`).Draw(t, "number")
		out, err := p.Step(Apply(Position{}, began.States), env, Called{Node: "c", Round: 1, Try: 1, Status: 200, Body: `{"i":` + number + `,"list":[` + number + `]}`})
		require.NoError(t, err)
		require.Equal(t, map[string]any{"digits": number, "s": "[" + number + "]"}, out.Fields, "%v", out.ProcessLog)
	})
}

// asked works an expression out over an answer, and over fields that were filled in.
func asked(t *testing.T, code, body string, fields map[string]any) (any, error) {
	t.Helper()
	p := process(t, courier)
	sees := p.sees(p.nodes["c"])
	sees["body"] = answers["body"]
	f, err := compile(code, sees)
	require.NoError(t, err, code)
	var read any
	require.NoError(t, DecodeExact([]byte(body), &read))
	r := &run{p: p, env: Env{Now: monday, Rules: RulesNow, Fields: fields}}
	names := r.world(p.nodes["c"]).names
	return exprEnv{spent: &budget{}, names: func(name string) (any, bool) {
		if name == "body" {
			return read, true
		}
		return names(name)
	}}.compute(f)
}

func TestExpressionsReckonExactly(t *testing.T) {
	fields := map[string]any{"i": json.Number("9223372036854775807"), "j": json.Number("0"), "s": "北京很大", "ms": "ann(Lee, Ann),bob"}
	const body = `{"n":12345678,"big":7615917337495251231,"d":0.1,"e":1e3,"t":"yes","z":0,"list":[3,1.5,-2],"o":{"a":null},"huge":1e999999999}`
	for code, want := range map[string]any{
		`fields.i + 1 > fields.i`:                        true,
		`fields.i * fields.i == fields.i * fields.i - 1`: false,
		`fields.i * 2`:                                   json.Number("18446744073709551614"),
		`-fields.i - 1`:                                  json.Number("-9223372036854775808"),
		`0.1 + 0.2 == 0.3`:                               true,
		`body.d * 3 == 0.3`:                              true,
		`body.big - 1`:                                   json.Number("7615917337495251230"),
		`string(body.n)`:                                 "12345678",
		`"id-" + string(body.big)`:                       "id-7615917337495251231",
		`7 / 2`:                                          json.Number("3.5"),
		`1 / 3`:                                          json.Number("0." + strings.Repeat("3", MaxDigits)),
		`-7 % 3`:                                         json.Number("-1"),
		`body.e == 1000`:                                 true,
		`int(2.9) + int("7")`:                            json.Number("9"),
		`int(body.big)`:                                  json.Number("7615917337495251231"),
		`float("0.10")`:                                  json.Number("0.1"),
		`round(2.5)`:                                     json.Number("3"),
		`1_000.000000000000000000000001 * 1000`:          json.Number("1000000.000000000000000000001"),
		`max(body.list)`:                                 json.Number("3"),
		`min(4, body.list)`:                              json.Number("-2"),
		`abs(body.list[-1])`:                             json.Number("2"),
		`body.list[1:]`:                                  []any{json.Number("1.5"), json.Number("-2")},
		`count(body.list, # > 0)`:                        json.Number("2"),
		`len(fields.s)`:                                  json.Number("4"),
		`fields.s[0:2]`:                                  "北京",
		`fields.s[-1:]`:                                  "大",
		`fields.s[1:len(fields.s)]`:                      "京很大",
		`fields.ms`:                                      []string{"ann(Lee, Ann)", "bob"},
		`"bob" in fields.ms`:                             true,
		`body.o.a?.b ?? "none"`:                          "none",
		`body.missing`:                                   nil,
		`body.list == [3, 1.50, -2]`:                     true,
		`body == {"n": 1}`:                               false,
		`body.t == 1`:                                    false,
		`let a = body.n; a > 1 ? "x" : "y"`:              "x",
		`now.Year() == 2026 && now.Add(duration("1h")) > now`: true,
		`(now + duration("90m") - now).Hours()`:               json.Number("1.5"),
		`duration("1h") * 2 == duration("2h")`:                true,
		`1 in [1.0, 2] && not ("x" in body)`:                  true,
		`fields.s matches "^北.*大$"`:                           true,
		`1 < 2 < 3`:                                           true,
	} {
		got, err := asked(t, code, body, fields)
		require.NoError(t, err, code)
		require.Equal(t, want, got, code)
	}
	for code, why := range map[string]string{
		`1 / fields.j`:                   "division by zero",
		`10 % fields.j`:                  "division by zero",
		`1 / body.z`:                     "division by zero",
		`body.t && true`:                 `gives the text "yes", which is neither true nor false`,
		`not body.n`:                     "gives the number 12345678, which is neither true nor false",
		`body.t ? 1 : 2`:                 "neither true nor false",
		`any(body.list, #)`:              "gives the number 3, which is neither true nor false",
		`body.t > 1`:                     `the text "yes" and the number 1 have no order`,
		`body.t + 1`:                     `the text "yes" + the number 1 cannot be worked out`,
		`body.huge + 1`:                  "1e999999999 has too many digits: at most 38 before the point and 38 after it",
		`fields.i * fields.i * fields.i`: "has too many digits",
		`body.d % 2`:                     "whole numbers",
		`body.list[7]`:                   "there is no place 7 among 3",
		`body.o.a.b`:                     `nothing has no member the text "b"`,
		`int(body.t)`:                    `the text "yes" is no number`,
		`lower(body.n)`:                  "the number 12345678 is no text",
		`now.Local().Hour() == 1`:        "Local() cannot be called here",
	} {
		_, err := asked(t, code, body, fields)
		require.ErrorContains(t, err, why, code)
	}
}

// A sum is what a sum of fractions is, and an order what the order of fractions is.
func TestDecimalsAgreeWithFractions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Int64().Draw(t, "a"), rapid.Int64().Draw(t, "b")
		e := &evaluation{spent: &budget{}, left: MaxSteps}
		x, y := json.Number(fmt.Sprint(a)), json.Number(fmt.Sprint(b))
		sum, err := e.reckon("+", x, y)
		require.NoError(t, err)
		back, err := e.reckon("-", sum, y)
		require.NoError(t, err)
		require.Equal(t, x, settled(back))
		order, err := e.compare(x, y)
		require.NoError(t, err)
		require.Equal(t, a < b, order < 0)
		if b != 0 {
			product, err := e.reckon("*", x, y)
			require.NoError(t, err)
			quotient, err := e.reckon("/", product, y)
			require.NoError(t, err)
			require.Equal(t, x, settled(quotient))
		}
	})
}

// A condition is true or false, or the ticket waits for a person: at a branch, and where an answer is judged.
func TestNothingIsTakenForAVerdict(t *testing.T) {
	pl := play(t, `
- {id: c, name: C, type: call, call: {url: 'https://h/x', success: body.ok, answer: {y: body.y}}, fields: [{key: y, type: INT}], processors: {persons: [ops]}, next: b}
- {id: b, name: B, type: branch, cases: [{when: '10 / fields.y > 1', next: done}], default: bad}
- {id: bad, name: Bad, type: end, status: terminated}
- {id: done, name: Done, type: end}`)
	pl.env.Rules = RulesNow
	pl.lines(`
	start                          => c:calling
	called ok {"ok":"true"}        => c:failed[ops]
	says                           => call_failed(c >ops)
	retry resend by ops            => c:calling
	called ok {"ok":1}             => c:failed[ops]
	retry resend by ops            => c:calling
	called ok {"ok":true,"y":1.5}  => c:failed[ops]
	retry by ops resend            => c:calling
	called ok {"ok":true,"y":0}    => b:failed[]`)
	state, _ := pl.pos.Find("b")
	require.Equal(t, "10 / fields.y > 1: division by zero", state.Reason)
}

// A path with nothing in the place of a name is another path.
func TestAnEmptyHoleOfAPathIsNoRequest(t *testing.T) {
	const host = `
- {id: c, name: C, type: call, call: {method: DELETE, url: 'https://h/hosts/${fields.id}?by=${fields.by}'}, processors: {persons: [ops]}, next: done}
- {id: done, name: Done, type: end}
fields: [{key: id, type: STRING}, {key: by, type: STRING}]`
	pl := play(t, host)
	pl.env.Rules = RulesNow
	pl.lines(`start => c:failed[ops]`)
	state, _ := pl.pos.Find("c")
	require.Equal(t, "url: ${fields.id} is empty, and no part of the path can be", state.Reason)
	pl = play(t, host)
	pl.env.Rules = RulesNow
	pl.lines(`
	field id=7 =>
	start => c:calling
	calls => DELETE https://h/hosts/7?by=`)
}

// Whoever is named with a display name is asked once, whatever the display name is.
func TestACommaInADisplayNameAsksNobody(t *testing.T) {
	require.Equal(t, []string{"ann", "bob", "zoe"}, SplitPersons("ann(Lee, Ann),bob, zoe(Z (the, last)),ann"))
	require.Equal(t, []string{"ann", "bob"}, SplitPersons("ann(Lee,bob"), "a bracket that is not closed hides nobody")
	for rules, want := range map[Rules][]string{RulesFirst: {"ann", "Ann)", "bob"}, RulesNow: {"ann", "bob"}} {
		p := process(t, `
- {id: a, name: A, type: approval, processors: {fields: [ms]}, next: done}
- {id: done, name: Done, type: end}
fields: [{key: ms, type: MEMBERS}]`)
		out, err := p.Step(Position{}, Env{Now: monday, Rules: rules, Fields: map[string]any{"ms": "ann(Lee, Ann),bob"}}, Start{})
		require.NoError(t, err)
		require.Equal(t, want, out.States[0].Asked)
	}
}

// Tickets of the first rules read numbers as they always did, although they are read from JSON with all their digits now.
func TestFirstRulesReadNumbersAsBefore(t *testing.T) {
	p := process(t, `
- {id: t, name: T, type: task, processors: {anyone: true}, fields: [{key: i, type: INT}], next: b}
- {id: b, name: B, type: branch, cases: [{when: 'fields.i == 1000', next: done}], default: bad}
- {id: bad, name: Bad, type: end, status: terminated}
- {id: done, name: Done, type: end}`)
	var act Act
	require.NoError(t, json.Unmarshal([]byte(`{"action":"submit","fields":{"i":1e3}}`), &act))
	env := Env{Now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	out, err := p.Step(Position{}, env, Start{})
	require.NoError(t, err)
	out, err = p.Step(Apply(Position{}, out.States), env, act)
	require.NoError(t, err)
	require.Equal(t, map[string]any{"i": 1000.0}, out.Fields)
	require.Equal(t, Completed, out.Ending.Status)
}

// The counts of a vote are exact, too: in the condition that ends it, and in what is decided by it later.
func TestCountsOfVotesAreExact(t *testing.T) {
	pl := play(t, `
- {id: v, name: V, type: approval, rule: all, finish: 'PASS_COUNT * 9223372036854775807 > 9223372036854775807', processors: {persons: [ann, bob, cy]}, next: b}
- {id: b, name: B, type: branch, cases: [{when: 'nodes.v.PASS_RATE == 200 / 3 and nodes.v.PASS_COUNT == 2', next: done}], default: bad}
- {id: bad, name: Bad, type: end, status: terminated}`+end)
	pl.env.Rules = RulesNow
	pl.lines(`
	start          => v[ann bob cy]
	approve by ann => v[bob cy]
	approve by bob => completed approved`)
}
