package page

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/flow"
)

// Everything of the built-in services that has a name has one in every language, and in English the one that the API tells.
func TestWhatIsBuiltInIsNamedInEveryLanguage(t *testing.T) {
	named := map[string]bool{}
	for key, process := range flow.Builtin() {
		def := process.Definition()
		names := map[string]string{key: def.Name, key + ".about": def.Description}
		for _, f := range def.Fields {
			names[key+".field."+f.Key] = f.Name
		}
		for _, n := range def.Nodes {
			names[key+".node."+n.ID] = n.Name
		}
		for name, english := range names {
			named["process."+name] = true
			require.Equal(t, english, Say("en", "process."+name))
			require.Regexp(t, `^\p{Han}`, Say("zh", "process."+name), name)
		}
	}
	for key := range texts["en"] {
		if strings.HasPrefix(key, "process.") {
			require.True(t, named[key], "nothing that is built in is called by %s", key)
		}
	}
}

// Only what is built in is called otherwise: a process that somebody writes under the key of one, or publishes, keeps its names.
func TestOnlyWhatIsBuiltInIsTranslated(t *testing.T) {
	v := &Visit{look: look{Language: "zh"}}
	def := flow.Builtin()[flow.ServiceIncident].Definition()
	said := v.Spoken(def)
	require.Equal(t, "事件单", said.Name)
	require.Equal(t, "受理", said.Nodes[0].Name)
	require.Equal(t, "Accept", flow.Builtin()[flow.ServiceIncident].Definition().Nodes[0].Name, "it stays as it is for all others")
	for _, number := range []int64{0, flow.FirstNumber} {
		own := def
		own.Number = number
		require.Equal(t, own, v.Spoken(own))
	}
	english := (&Visit{look: look{Language: "en"}}).Spoken(def)
	require.Equal(t, def, english)
}
