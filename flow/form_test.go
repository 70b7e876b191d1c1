package flow

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestValuesAreKeptInOneForm(t *testing.T) {
	choice := []Choice{{Key: "a"}, {Key: "b"}}
	for _, c := range []struct {
		kind FieldType
		in   any
		want any // an error: a part of it
	}{
		{Int, 3.0, json.Number("3")}, {Int, 3, json.Number("3")}, {Int, int64(3), json.Number("3")}, {Int, json.Number("3"), json.Number("3")},
		{Int, json.Number("3.00"), json.Number("3")}, {Int, json.Number("3e2"), json.Number("300")}, {Int, "-3", json.Number("-3")},
		{Int, json.Number("9007199254740993"), json.Number("9007199254740993")}, {Int, json.Number("-9223372036854775808"), json.Number("-9223372036854775808")},
		{Int, json.Number("9007199254740991.5"), "not 9007199254740991.5"}, {Int, json.Number("9223372036854775808"), "to 9223372036854775807, not 9223372036854775808"},
		{Int, json.Number("1e999999999"), "not 1e999999999"},
		{Int, 3.5, "whole number"}, {Int, "3.0", "whole number"}, {Int, true, "whole number"}, {Int, 1e300, "9223372036854775807"},
		{Bool, true, true}, {Bool, "false", false}, {Bool, 1.0, "true or false"},
		{String, 1.0, "must be text"}, {String, "a\nb", "control characters"}, {String, "\xff", "UTF-8"}, {String, strings.Repeat("字", 256), "255 characters"},
		{Text, "a\nb", "a\nb"}, {Text, "\x00", "NUL"},
		{Members, []any{"ann", "", "bob"}, "ann,bob"}, {Members, []string{"ann"}, "ann"}, {Members, "ann, bob,", "ann,bob"},
		{Members, []any{1.0}, "list"}, {Members, []any{"a,b"}, "commas"}, {Members, "ann(Lee, Ann),bob", "ann(Lee, Ann),bob"}, {Members, []any{"ann(Lee, Ann)"}, "ann(Lee, Ann)"}, {Members, strings.Repeat("a,", MaxItems+1), "at most 2000 items, not 2001"}, {Members, 1.0, "list"}, {Members, strings.Repeat("a", MaxText+1), "at most"},
		{Checkbox, []any{"a", "b"}, "a,b"}, {Multiselect, "c", "none of the choices"},
		{Select, "a", "a"}, {Select, "c", "none of the choices"}, {Radio, []any{"a"}, "must be text"},
		{Member, "ann(Ann)", "ann(Ann)"}, {Member, "(x)", "one person"},
		{Date, "2026-02-28", "2026-02-28"}, {Date, "2026-02-28 10:00:00", "such as"}, {DateTime, "2026-02-28T10:00:00+08:00", "2026-02-28T10:00:00+08:00"},
		{Link, "https://host/x", "https://host/x"}, {Link, "javascript:alert(1)", "http or https"}, {Link, "https:///x", "http or https"},
		{Int, "", ""}, {Select, "", ""}, {Date, "", ""},
	} {
		f := Field{Key: "f", Type: c.kind}
		if c.kind.chosen() {
			f.Choice = choice
		}
		got, err := Fill([]Field{f}, map[string]any{"f": c.in})
		if err != nil {
			require.Contains(t, err.Error(), c.want, "%s %v", c.kind, c.in)
			require.Equal(t, "f", err.(*Error).Field)
			continue
		}
		require.Equal(t, map[string]any{"f": c.want}, got, "%s %v", c.kind, c.in)
		// What is kept goes through JSON unchanged, and is kept again as it is.
		raw, err := json.Marshal(got)
		require.NoError(t, err)
		var back Values
		require.NoError(t, json.Unmarshal(raw, &back))
		again, err := Fill([]Field{f}, back)
		require.NoError(t, err)
		require.Equal(t, got, again)
	}
}

// A regex that compiles by itself alone cannot be asked of a whole value: it is refused when publishing, and what was published before takes no value.
func TestARegexIsCheckedAsItIsUsed(t *testing.T) {
	const source = `{key: k, name: K, nodes: [
  {id: c, name: C, type: call, call: {url: 'https://h/x', answer: {v: body.v}}, fields: [{key: v, type: STRING, regex: '\Qa'%s}], processors: {persons: [ops]}, next: e},
  {id: e, name: E, type: end}]}`
	for _, byDefault := range []string{"", ", default: a"} {
		_, faults := Parse(fmt.Appendf(nil, source, byDefault))
		require.Contains(t, faults.Error(), `nodes[0].fields[0].regex: must be a regular expression (RE2)`)
	}
	def, _ := Parse(fmt.Appendf(nil, source, ""))
	published, err := Compile(def)
	require.NoError(t, err)
	pl := &player{t: t, p: published, env: newEnv()}
	pl.lines(`
	start                  => c:calling
	called ok {"v":"a"}    => c:failed[ops]
	says                   => call_failed(c >ops)`)
	for rules := RulesFirst; rules <= RulesNow; rules++ {
		_, err = rules.fill(def.Nodes[0].Fields, map[string]any{"v": "a"})
		require.EqualError(t, err, `v: must match \Qa`)
	}
	_, err = Fill([]Field{{Key: "v", Type: String, Regex: `\Qa\E|b`}}, map[string]any{"v": "a"})
	require.NoError(t, err)
}

// What is wrong with a form is told field by field; the refusal that is kept says what it always said, the first.
func TestAFormTellsOfAllItsFields(t *testing.T) {
	form := []Field{{Key: "a", Type: Int}, {Key: "b", Type: String, Required: true}, {Key: "c", Type: Date}, {Key: "d", Type: Bool, Required: true}}
	for rules := RulesFirst; rules <= RulesNow; rules++ {
		_, err := rules.fill(form, map[string]any{"a": "x", "c": "2026-02-28", "d": true})
		why := err.(*Error)
		var told []string
		for _, one := range why.Each() {
			told = append(told, one.Error())
		}
		require.Len(t, told, 2)
		require.Equal(t, told[0], why.Error())
		require.Contains(t, told[0], "a: must be a whole number")
		require.Equal(t, "b: is required and must not be empty", told[1])
	}
	_, err := Fill(form, map[string]any{"b": "x", "d": "true", "e": 1})
	require.Equal(t, "e: the form has no such field", err.Error())
	require.Len(t, err.(*Error).Each(), 1)
	many := map[string]any{}
	for i := range 100 {
		many[strings.Repeat("x", i+1)] = 1
	}
	_, err = Fill(nil, many)
	require.Len(t, err.(*Error).Each(), maxFilled)
}

func TestConditionsSeeTypedValuesAndZeroForWhatIsMissing(t *testing.T) {
	p := process(t, `
- {id: b, name: B, type: branch, cases: [{when: opener == "", next: e}], default: e}
- {id: e, name: E, type: end}
fields: [{key: i, type: INT}, {key: s, type: STRING}, {key: b, type: BOOL}, {key: d, type: DATETIME}, {key: ms, type: MEMBERS}]`)
	shanghai := time.FixedZone("CST", 8*3600)
	full := map[string]any{"i": 5.0, "s": "x", "b": true, "d": "2026-03-02 17:00:00", "ms": "ann,bob"}
	for code, want := range map[string][2]bool{ // with the fields, and without
		`fields.i > 4`:                       {true, false},
		`fields.i == 0`:                      {false, true},
		`fields.s == ""`:                     {false, true},
		`fields.b`:                           {true, false},
		`fields.d == now`:                    {true, false}, // 17:00 in the zone of the ticket is 09:00 UTC
		`fields.d < now`:                     {false, true},
		`fields.d + duration("1h") > now`:    {true, false},
		`"bob" in fields.ms`:                 {true, false},
		`len(fields.ms) == 0`:                {false, true},
		`any(fields.ms, # startsWith "b")`:   {true, false},
		`upper(fields.s) + "y" == "Xy"`:      {true, false},
		`fields.s matches "^x$"`:             {true, false},
		`opener == "olga" && assignee == ""`: {true, true},
		`fields["i"] in [5, 6]`:              {true, false},
	} {
		program, err := compile(code, p.sees(p.nodes["b"]))
		require.NoError(t, err, code)
		for i, fields := range []map[string]any{full, nil} {
			for _, rules := range []Rules{RulesFirst, RulesNow} {
				r := &run{p: p, env: Env{Now: monday, Rules: rules, Zone: shanghai, Opener: "olga", Fields: fields}}
				ok, err := r.world(p.nodes["b"]).holds(program)
				require.NoError(t, err, code)
				require.Equal(t, want[i], ok, code)
			}
		}
	}
}

// TestTimesOutOfRange: whoever asks for something is refused, while what was taken before is taken; and nothing new is published with such a default.
func TestTimesOutOfRange(t *testing.T) {
	source := `
key: test
name: Test
fields: [{key: a, type: DATETIME}, {key: d, type: DATE}, {key: s, type: STRING}]
nodes:
- {id: t, name: T, type: task, processors: {anyone: true}, fields: [{key: b, type: DATETIME, default: "2026-01-01 00:00:00"}], next: done}
- {id: done, name: Done, type: end}`
	p := process(t, source)
	for text, out := range map[string]bool{
		"": false, "9999-12-31 23:59:59": false, "9999-12-31T23:59:59.999999Z": false, "9999-12-31T18:59:59-05:00": false, "0000-01-01": false,
		"9999-12-31T23:59:59-05:00": true, "9999-12-31T23:59:59.9999995Z": true, "0000-01-01T00:00:00+05:00": true,
	} {
		given := map[string]any{"a": text, "s": text}
		_, err := Fill(p.def.Fields, given)
		require.NoError(t, err, "in a replay it is what it was")
		err = p.OutOfRange(given)
		require.Equal(t, out, err != nil, text)
		if out {
			require.Equal(t, "a: must be within the years 0 to 9999 in UTC", err.Error())
		}
		changed := strings.Replace(source, "2026-01-01 00:00:00", text, 1)
		def, faults := Read([]byte(changed)).Check(nil)
		require.Equal(t, out, len(faults) > 0, "%s: %v", text, faults)
		_, err = Compile(def)
		require.NoError(t, err, "one that was published before")
	}
	err := p.OutOfRange(map[string]any{"a": "9999-12-31T23:59:59-05:00", "b": "9999-12-31T23:59:59-05:00", "x": "9999-12-31T23:59:59-05:00", "d": 7})
	require.Len(t, err.(*Error).Each(), 2)
}
