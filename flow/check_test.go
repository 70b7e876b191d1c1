package flow

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// testdata/faults.txt holds definitions with faults, one after the other: a line `# what it is about`, the nodes (or a whole definition),
// and then every fault that must be named, each as `! line:column path: sentence`. Lines count from the first line of the definition. With
// SIGNALBOX_WRITE set the faults are written anew.
func TestEveryFaultIsNamedWithItsPlace(t *testing.T) {
	raw, err := os.ReadFile("testdata/faults.txt")
	require.NoError(t, err)
	var written strings.Builder
	for _, block := range regexp.MustCompile(`(?m)^# `).Split(string(raw), -1)[1:] {
		title, rest, _ := strings.Cut(block, "\n")
		t.Run(title, func(t *testing.T) {
			var source, want []string
			for _, line := range strings.Split(strings.TrimRight(rest, "\n"), "\n") {
				if fault, ok := strings.CutPrefix(line, "! "); ok {
					want = append(want, fault)
				} else {
					source = append(source, line)
				}
			}
			text := strings.Join(source, "\n") + "\n"
			if strings.HasPrefix(text, "- {") {
				text = "{key: k, name: K, nodes: [\n" + inline(text) + "]}\n"
			}
			reading := Read([]byte(text))
			def, faults := reading.Check(calendarsFor(reading.CalendarsNamed()))
			if os.Getenv("SIGNALBOX_WRITE") != "" {
				for _, line := range append([]string{"# " + title}, source...) {
					written.WriteString(line + "\n")
				}
				for fault := range strings.Lines(faults.Error()) {
					written.WriteString("! " + strings.TrimSuffix(fault, "\n") + "\n")
				}
				return
			}
			require.Equal(t, strings.Join(want, "\n"), faults.Error())

			// What is stored is JSON: Check alone must find the same, but for what only the text can show.
			stored, err := json.Marshal(def)
			require.NoError(t, err)
			var again Definition
			require.NoError(t, json.Unmarshal(stored, &again))
			require.Equal(t, def, again)
			_, err = Compile(def)
			require.Equal(t, len(Check(def)) > 0, err != nil)
		})
	}
	if written.Len() > 0 {
		require.NoError(t, os.WriteFile("testdata/faults.txt", []byte(written.String()), 0o644))
	}
}

// inline turns lines `- {…}` into the items of a flow list, each on the line it had.
func inline(text string) string {
	var out strings.Builder
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		out.WriteString(strings.TrimPrefix(line, "- ") + ",\n")
	}
	return out.String()
}

// Tickets run through what was published before this was refused; a definition that no longer compiled would leave them stuck.
func TestWhatWasOnceTakenIsRefusedWhenPublishingAlone(t *testing.T) {
	for name, nodes := range map[string]string{
		"a reserved header": "{id: a, name: A, type: call, call: {url: 'http://h/', headers: {Idempotency-Key: x}}, next: e}",
		"a loop of calls": "{id: a, name: A, type: call, call: {url: 'http://h/'}, next: b}, " +
			"{id: b, name: B, type: branch, cases: [{when: nodes.a.status == 202, next: a}], default: e}",
		"a regex that is one by itself alone": `{id: a, name: A, type: task, processors: {persons: [ann]}, fields: [{key: v, type: STRING, regex: '\Qa'}], next: e}`,
	} {
		t.Run(name, func(t *testing.T) {
			def, faults := Parse([]byte("{key: k, name: K, nodes: [" + nodes + ", {id: e, name: E, type: end}]}"))
			require.Len(t, faults, 1)
			require.Empty(t, Check(def))
			_, err := Compile(def)
			require.NoError(t, err)
		})
	}
}
