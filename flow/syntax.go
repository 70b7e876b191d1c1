package flow

import (
	"bytes"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?(.*)$`)

// What the reader's parser says. Everything else comes from its scanner or from what is above both. In a list or mapping without brackets
// the fault is in the last line that was read, inside brackets it is looked for in vain from where they begin.
var (
	ofBlocks   = []string{"did not find expected key", "did not find expected '-' indicator"}
	ofBrackets = []string{"did not find expected ',' or '}'", "did not find expected ',' or ']'", "did not find expected node content"}
)

// syntax says where a source is no YAML, and why. The reader counts the lines of what its parser finds from 0, and gives that of the list or
// mapping around it, which can be the whole list of nodes: where there are no brackets, the first line is looked for up to which it fails so.
func syntax(source []byte, err error) Fault {
	at := yamlLine.FindStringSubmatch(strings.ReplaceAll(err.Error(), "\n", " "))
	line, _ := strconv.Atoi(at[1])
	fault := Fault{Line: max(1, line), Column: 1, Message: at[2]}
	switch {
	case slices.Contains(ofBlocks, fault.Message):
		lines := bytes.SplitAfter(source, []byte("\n"))
		fault.Line = min(len(lines), 1+sort.Search(len(lines), func(i int) bool {
			var some yaml.Node
			part := yaml.Unmarshal(bytes.Join(lines[:i+1], nil), &some)
			return part != nil && part.Error() == err.Error()
		}))
	case slices.Contains(ofBrackets, fault.Message):
		fault.Line = line + 1
	}
	return fault
}
