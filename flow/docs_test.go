package flow

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The page that teaches how to write a process knows every word and every member there is.
func TestTheDocsKnowTheWholeSchema(t *testing.T) {
	raw, err := os.ReadFile("../docs/processes.md")
	require.NoError(t, err)
	page := string(raw)
	for _, enum := range sortedKeys(Vocabulary) {
		for _, word := range Vocabulary[enum] {
			require.Regexp(t, "\\b"+word+"\\b", page, "the page does not speak of the %s %q", enum, word)
		}
	}
	for _, name := range builtins {
		require.Contains(t, page, name)
	}
	var members func(reflect.Type)
	seen := map[reflect.Type]bool{}
	members = func(of reflect.Type) {
		for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
			of = of.Elem()
		}
		if of.Kind() != reflect.Struct || seen[of] {
			return
		}
		seen[of] = true
		for i := range of.NumField() {
			name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
			require.Regexp(t, "\\b"+name+"\\b", page, "the page does not speak of the member %q", name)
			members(of.Field(i).Type)
		}
	}
	members(reflect.TypeOf(Definition{}))
	for _, word := range []string{"working minutes", "working hours", "working days"} {
		require.Contains(t, page, word)
	}
	// What the page shows is taken by this build.
	for _, block := range strings.Split(page, "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		switch {
		case strings.HasPrefix(block, "call:"):
			block = "nodes:\n- id: c\n  " + strings.ReplaceAll(block, "\n", "\n  ")
		case strings.HasPrefix(block, "- "):
			block = "nodes:\n" + block
		}
		_, faults := Parse([]byte(block))
		for _, f := range faults {
			require.NotContains(t, f.Message, "there is no member", "%s\n%s", block, f)
		}
	}
}

// Every member says which types of node take it, so that no type takes one in silence that it does not use.
func TestEveryMemberOfANodeHasItsTypes(t *testing.T) {
	node := reflect.TypeOf(Node{})
	common := []string{"id", "number", "name", "type", "status"}
	for i := range node.NumField() {
		name, _, _ := strings.Cut(node.Field(i).Tag.Get("json"), ",")
		if _, listed := memberTypes[name]; !listed {
			require.Contains(t, common, name)
		}
	}
	require.Len(t, memberTypes, node.NumField()-len(common))
}
