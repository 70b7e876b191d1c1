package signalbox

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSecurityNamesItsTests: SECURITY.md promises nothing by a test that is not there, and recipes and guide send nobody to one.
func TestSecurityNamesItsTests(t *testing.T) {
	var text []byte
	for _, page := range []string{"SECURITY.md", "AGENTS.md", "docs/recipes.md"} {
		more, err := os.ReadFile(page)
		require.NoError(t, err)
		text = append(text, more...)
	}
	declared := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, match := range function.FindAllStringSubmatch(string(source), -1) {
			declared[match[1]] = true
		}
		return err
	}))
	named := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z]+)`").FindAllStringSubmatch(string(text), -1)
	require.Greater(t, len(named), 30)
	for _, name := range named {
		require.True(t, name[1] == "Test" || name[1] == "Fuzz" || declared[name[1]], "there is no %s", name[1])
	}
}

// TestEveryDecoderIsFuzzed: whoever adds a family adds something that sends whatever comes to mind to it. The others are what families have in common
// and what else reads what strangers write: bodies and queries, signatures, definitions, cursors, payloads.
func TestEveryDecoderIsFuzzed(t *testing.T) {
	target := regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)
	fuzzed := map[string]bool{"api": true, "api/sdkhmac": true, "flow": true, "store/db": true, "workflows": true}
	for _, handler := range handlers() {
		fuzzed[handler] = true
	}
	delete(fuzzed, "api/codec") // Temporal's own handler reads what it is sent; what is within is fuzzed in workflows
	for room := range fuzzed {
		tests, err := filepath.Glob(room + "/*_test.go")
		require.NoError(t, err)
		found := 0
		for _, file := range tests {
			source, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, target := range target.FindAllStringSubmatch(string(source), -1) {
				kept, err := os.ReadDir(filepath.Join(room, "testdata", "fuzz", target[1]))
				require.NoError(t, err)
				require.NotEmpty(t, kept, "%s of %s keeps nothing", target[1], room)
				found++
			}
		}
		require.Positive(t, found, "%s has no fuzz target", room)
	}
}
