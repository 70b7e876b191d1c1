package flow

import (
	"fmt"
	"slices"
	"strings"
)

// Fault is one thing that is wrong with a definition, and where.
type Fault struct {
	Path    string `json:"path"`             // such as nodes[2].reject.to; empty: the document as a whole
	Line    int    `json:"line,omitempty"`   // of the source, from 1; 0 where there is no source
	Column  int    `json:"column,omitempty"` // likewise
	Message string `json:"message"`
}

// String gives line and column, path and sentence, as far as they are known.
func (f Fault) String() string {
	var b strings.Builder
	if f.Line > 0 {
		fmt.Fprintf(&b, "%d:%d ", f.Line, f.Column)
	}
	if f.Path != "" {
		b.WriteString(f.Path + ": ")
	}
	return b.String() + f.Message
}

// Faults is everything that is wrong with a definition, in the order of its text. None means that it compiles and can be published.
type Faults []Fault

// Error lists all faults, one a line.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.String()
	}
	return strings.Join(lines, "\n")
}

func (f *Faults) add(path, format string, values ...any) {
	*f = append(*f, Fault{Path: path, Message: fmt.Sprintf(format, values...)})
}

// has reports whether a fault at this path is known already.
func (f Faults) has(path string) bool {
	return slices.ContainsFunc(f, func(fault Fault) bool { return fault.Path == path })
}

// Over says of something that it has more of a unit (characters, bytes, items) than it can have, in the words that people are told beside the name of the
// field: "must have at most 255 characters, not 300". Every refusal of a size says both numbers.
func Over(most int, unit string, has int) string {
	return fmt.Sprintf("must have at most %d %s, not %d", most, unit, has)
}
