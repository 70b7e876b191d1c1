package page

import (
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"signalbox/flow"
)

// Source gives a text that was written in an editor with the line ends that it was written with: browsers send CRLF (HTML, section 4.10.21.8).
func (f Form) Source(name string) string { return strings.ReplaceAll(f.Get(name), "\r\n", "\n") }

// FaultLine is something that is wrong with a text that was written, with the line that it stands in.
type FaultLine struct {
	flow.Fault
	Text string // of the line
}

// FaultLines gives faults with their lines, in the visitor's language.
func (v *Visit) FaultLines(source string, faults flow.Faults) (out []FaultLine) {
	lines := strings.Split(source, "\n")
	for _, f := range faults {
		l := FaultLine{Fault: f}
		l.Message = v.Reason(f.Message)
		if f.Line > 0 && f.Line <= len(lines) {
			l.Text = strings.TrimSpace(lines[f.Line-1])
		}
		out = append(out, l)
	}
	return out
}

// Kept is a fault of a key that is not the one that it has to stay, or none.
func Kept(source, had, has, why string) flow.Faults {
	if had == "" || had == has {
		return nil
	}
	fault := flow.Fault{Path: "key", Message: why}
	for i, line := range strings.Split(source, "\n") {
		if strings.HasPrefix(line, "key:") {
			fault.Line, fault.Column = i+1, 1
			break
		}
	}
	return flow.Faults{fault}
}

// Hunk is a part of a difference between two texts: what changed, and some lines around it.
type Hunk struct {
	From, To int // the first line, before and after, from 1
	Lines    []DiffLine
}

// DiffLine is a line of a hunk; Kind is added, removed or kept.
type DiffLine struct{ Kind, Sign, Text string }

// around is how many lines are shown before and after a change.
const around = 3

// Difference tells what changed from one text to another, by lines; nothing where they are the same.
func Difference(before, after string) (out []Hunk) {
	unified, err := udiff.ToUnifiedDiff("", "", before, udiff.Lines(before, after), around)
	if err != nil {
		return nil // Lines gives edits that fit the text
	}
	for _, h := range unified.Hunks {
		part := Hunk{From: h.FromLine, To: h.ToLine}
		for _, line := range h.Lines {
			l := DiffLine{"kept", " ", strings.TrimSuffix(line.Content, "\n")}
			switch line.Kind {
			case udiff.Insert:
				l.Kind, l.Sign = "added", "+"
			case udiff.Delete:
				l.Kind, l.Sign = "removed", "−"
			}
			part.Lines = append(part.Lines, l)
		}
		out = append(out, part)
	}
	return out
}
