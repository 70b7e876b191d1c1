package flow

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func sources(t *testing.T) map[string][]byte {
	out := map[string][]byte{}
	for _, pattern := range []string{"../examples/*.yaml", "builtin/*.yaml"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			raw, err := os.ReadFile(file)
			require.NoError(t, err)
			out[file] = raw
		}
	}
	require.Len(t, out, 5)
	return out
}

// YAML and JSON are one schema: what was read from the one is stored as the other, and means the same.
func TestADefinitionIsTheSameInYAMLAndJSON(t *testing.T) {
	for file, raw := range sources(t) {
		def, faults := Parse(raw)
		require.Empty(t, faults, file)
		stored, err := json.Marshal(def)
		require.NoError(t, err)
		again, faults := Parse(stored)
		require.Empty(t, faults, file)
		require.Equal(t, def, again)
		var plain Definition
		require.NoError(t, json.Unmarshal(stored, &plain))
		require.Equal(t, def, plain)
	}
}

// Whatever is handed in is read or refused with a place, and never panics.
func TestNothingThatIsHandedInMakesTheParserPanic(t *testing.T) {
	var all [][]byte
	for _, raw := range sources(t) {
		all = append(all, raw)
	}
	faults, err := os.ReadFile("testdata/faults.txt")
	require.NoError(t, err)
	for _, block := range strings.Split(string(faults), "\n# ") {
		_, source, _ := strings.Cut(block, "\n")
		all = append(all, []byte(source))
	}
	rapid.Check(t, func(t *rapid.T) {
		source := append([]byte(nil), rapid.SampledFrom(all).Draw(t, "source")...)
		for range rapid.IntRange(1, 6).Draw(t, "damages") {
			if len(source) == 0 {
				break
			}
			at := rapid.IntRange(0, len(source)-1).Draw(t, "at")
			switch rapid.IntRange(0, 3).Draw(t, "how") {
			case 0:
				source[at] = rapid.Byte().Draw(t, "byte")
			case 1:
				source = source[:at]
			case 2: // a line is lost
				lines := strings.SplitAfter(string(source), "\n")
				i := at % len(lines)
				source = []byte(strings.Join(append(lines[:i:i], lines[i+1:]...), ""))
			case 3: // a word takes another's place
				words := strings.Fields(string(source))
				if len(words) == 0 {
					break
				}
				source = []byte(strings.Replace(string(source), words[at%len(words)], words[(at*7)%len(words)], 1))
			}
		}
		def, faults := Parse(source)
		for _, f := range faults {
			require.Positive(t, f.Line, "%s", f)
			require.Positive(t, f.Column, "%s", f)
		}
		if len(faults) == 0 {
			_, err := Compile(def)
			require.NoError(t, err)
		}
		Draw(def, nil)
	})
}

func TestLimits(t *testing.T) {
	long := strings.Repeat("x", MaxName+1)
	many := func(n int) []string {
		out := make([]string, n)
		for i := range out {
			out[i] = fmt.Sprint("p", i)
		}
		return out
	}
	base := func() Definition {
		return Definition{Key: "k", Name: "K", Nodes: []Node{
			{ID: "t", Name: "T", Type: Task, Processors: &Processors{Anyone: true}, Next: "e"}, {ID: "e", Name: "E", Type: End}}}
	}
	for want, change := range map[string]func(*Definition){
		"key: must have at most 64 characters, not 65":                        func(d *Definition) { d.Key = long[:65] },
		"name: must have at most 255 characters, not 256":                     func(d *Definition) { d.Name = long },
		"description: must have at most 10000 characters, not 10001":          func(d *Definition) { d.Description = strings.Repeat("字", 10_001) },
		"description: must be valid UTF-8 without the character NUL":          func(d *Definition) { d.Description = "\x00" },
		"nodes[0].name: must have at most 255 characters, not 256":            func(d *Definition) { d.Nodes[0].Name = long },
		"nodes[0].id: must have at most 64 characters, not 65":                func(d *Definition) { d.Nodes[0].ID = long[:65] },
		"nodes: must have at most 200 nodes, not 201":                         func(d *Definition) { d.Nodes = append(d.Nodes, make([]Node, 199)...) },
		"fields: must have at most 200 fields, not 201":                       func(d *Definition) { d.Fields = make([]Field, 201) },
		"nodes[0].processors.persons: must have at most 200 persons, not 201": func(d *Definition) { d.Nodes[0].Processors.Persons = many(201) },
		"nodes[0].processors.persons[0]: must have at most 255 characters, not 256": func(d *Definition) {
			d.Nodes[0].Processors.Persons = []string{long}
		},
		"nodes[0].deadline: must have at most 20 stages, not 21": func(d *Definition) { d.Nodes[0].Deadline = make([]Stage, 21) },
		"fields[0].choice: must have at most 500 choices, not 501": func(d *Definition) {
			d.Fields = []Field{{Key: "f", Type: Select, Choice: make([]Choice, 501)}}
		},
		"nodes[0].cases: there must be from 1 to 50 cases, not 51": func(d *Definition) {
			d.Nodes[0] = Node{ID: "t", Name: "T", Type: Branch, Default: "e", Cases: make([]Case, 51)}
		},
		"nodes[0].branches: there must be from 2 to 50 branches, not 51": func(d *Definition) {
			d.Nodes[0] = Node{ID: "t", Name: "T", Type: Parallel, Join: "e", Branches: make([]Path, 51)}
		},
		"nodes[0].cases[0].when: must have at most 1000 bytes, not 1004": func(d *Definition) {
			d.Nodes[0] = Node{ID: "t", Name: "T", Type: Branch, Default: "e", Cases: []Case{{Next: "e", When: strings.Repeat("!", 1000) + "true"}}}
		},
		"nodes[0].call.url: must have at most 2048 bytes, not 2057": func(d *Definition) {
			d.Nodes[0] = Node{ID: "t", Name: "T", Type: Call, Next: "e", Call: &Request{URL: "http://h/" + strings.Repeat("x", 2048)}}
		},
	} {
		def := base()
		require.Empty(t, Check(def))
		change(&def)
		require.Contains(t, strings.Split(Check(def).Error(), "\n"), want)
	}
	_, faults := Parse(make([]byte, MaxSource+1))
	require.Equal(t, "1:1 the definition must have at most 524288 bytes, not 524289", faults.Error())
	_, faults = Parse([]byte("key: k\nname: K\nnodes:\n- {id: c, name: C, type: call, next: c, call: {url: 'http://h', body: " + strings.Repeat("[", 40) + strings.Repeat("]", 40) + "}}"))
	require.Contains(t, faults.Error(), "must not nest deeper than 30")
}

// Functions that read a clock, make long texts or loop in loops have no place where a ticket is decided.
func TestOnlyPureAndCheapFunctionsCanBeCalled(t *testing.T) {
	for _, code := range []string{`now()`, `date("2026-01-01")`, `timezone("UTC")`, `repeat("x", 1000000000)`, `toJSON(1)`, `fromJSON("1")`,
		`map([1], #)`, `filter([1], true)`, `sortBy([1], #)`, `split("a", "")`, `1..2`, `2 ** 3`, `all([1], any([1], # > 0))`, `let f = 1; g`, `get({}, "a")`, `reduce([1], # + #acc)`} {
		_, err := compile(code, counts)
		require.Error(t, err, code)
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{"30s": 30 * time.Second, "2h30m": 150 * time.Minute, "1d12h": 36 * time.Hour, "2w": 14 * 24 * time.Hour, "3650d": MaxDuration} {
		got, err := ParseDuration(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, text := range []string{"", "0s", "1", "h", "1.5h", "-1h", "1h1d", "3651d", "99999999999s", " 1h", "1h "} {
		_, err := ParseDuration(text)
		require.Error(t, err, text)
	}
}

// One compiled process serves all tickets of a worker at once.
func TestOneProcessServesManyAtOnce(t *testing.T) {
	raw, err := os.ReadFile("../examples/change_two_levels.yaml")
	require.NoError(t, err)
	p := process(t, string(raw))
	env := newEnv()
	env.Fields = map[string]any{"risk": "high", "start": "2026-03-03"}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 5 {
				var pos Position
				for _, in := range []Input{Start{}, Act{Node: "security", Action: Approve, Actor: "sam"}, Act{Node: "security", Action: Approve, Actor: "sara"},
					Act{Node: "operations", Action: Reassign, Actor: "root", Admin: true, Targets: []string{"otto"}}, Act{Node: "operations", Action: Confirm, Actor: "otto", Pass: true}} {
					out, err := p.Step(pos, env, in)
					if err != nil || len(out.ProcessLog) == 0 {
						t.Error(err)
					}
					pos = Apply(pos, out.States)
				}
			}
		})
	}
	group.Wait()
}

func TestNodesAreFoundByIdAndNumber(t *testing.T) {
	p := Builtin()[ServiceFastApproval]
	n, ok := p.Node("approval")
	require.True(t, ok)
	same, ok := p.Numbered(n.Number)
	require.True(t, ok)
	require.Equal(t, n, same)
	_, ok = p.Node("nowhere")
	require.False(t, ok)
	_, ok = p.Numbered(0)
	require.False(t, ok)
}
