package page

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"signalbox/api"
)

// Text makes what others wrote fit to be shown: every character that would be invisible and could make the text look like another is
// written out. Escaping is the template's business. All pages show text of others through it and inside of <bdi>, so that no text can change
// the direction of what stands beside it (Unicode Technical Report 36, section 2.5).
func Text(v any) string {
	s := fmt.Sprint(v)
	var out strings.Builder
	for _, r := range s {
		switch {
		case r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069: // embeddings, overrides and isolates
			fmt.Fprintf(&out, "[U+%04X]", r)
		case r < 0x20 && r != '\n' && r != '\t' && r != '\r':
			out.WriteRune(0x2400 + r) // control pictures
		case r == 0x7F:
			out.WriteRune(0x2421)
		case r >= 0x80 && r < 0xA0:
			out.WriteRune(utf8.RuneError)
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}

// A long text is folded: its start is shown, and the whole of it on demand.
const (
	foldAbove = 900 // characters
	foldLines = 14
	foldTo    = 240
)

// Folded is a text that may be long.
type Folded struct {
	Start string // empty: the text is short
	Whole string
	Size  int // in characters
}

// Fold folds a text that is long.
func Fold(s string) Folded {
	n := utf8.RuneCountInString(s)
	if n <= foldAbove && strings.Count(s, "\n") < foldLines {
		return Folded{Whole: s, Size: n}
	}
	start, _, _ := strings.Cut(api.Shortened(strings.TrimSpace(s), foldTo), "\n")
	return Folded{Start: start, Whole: s, Size: n}
}

// Pretty gives a value as a person reads it: text as it is, all else as indented JSON.
func Pretty(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	return strings.TrimSpace(out.String())
}

// Took gives a duration with two or three digits.
func Took(d time.Duration) string {
	switch {
	case d < 0:
		return "0 ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	}
	return d.Round(100 * time.Millisecond).String()
}

// shownBytes is how much of a body or an answer is shown; more of it is kept.
const shownBytes = 2 << 10

// Opening gives the start of a body, which may be no text at all.
func Opening(body []byte) string {
	s := strings.ToValidUTF8(string(body[:min(len(body), shownBytes)]), "\uFFFD")
	if len(body) > shownBytes {
		s += fmt.Sprintf("\n… %d of %d bytes", shownBytes, len(body))
	}
	return Text(s)
}
