package main

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/mattn/go-runewidth"
	"golang.org/x/term"
)

// cells is how many cells of a terminal a text takes. What is ambiguous takes one, as in terminals that speak UTF-8.
var cells = &runewidth.Condition{EastAsianWidth: false, StrictEmojiNeutral: true}

func isTerminal(file *os.File) bool { return term.IsTerminal(int(file.Fd())) }

// width is how wide the terminal is that is written to; 0: it is none, and lines may be as long as they are.
func width(out io.Writer) int {
	file, ok := out.(*os.File)
	if !ok || !isTerminal(file) {
		return 0
	}
	columns, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0
	}
	return columns
}

// clean has nothing of a text reach the terminal as a command: what is no character to look at becomes a blank.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r) {
			return ' '
		}
		return r
	}, text)
}

// table is what is listed.
type table struct {
	head []string
	rows [][]string
}

// gap stands between columns.
const gap = "  "

// least is how narrow a column may become.
const least = 6

// write writes the table, fitted to so many cells; 0: as wide as it is. The widest columns give way first.
func (t table) write(out io.Writer, wide int) error {
	rows := append([][]string{t.head}, t.rows...)
	widths := make([]int, len(t.head))
	for i, row := range rows {
		for j := range row {
			if i > 0 {
				row[j] = clean(row[j])
			}
			widths[j] = max(widths[j], cells.StringWidth(row[j]))
		}
	}
	if wide > 0 {
		total := len(gap) * (len(widths) - 1)
		for _, w := range widths {
			total += w
		}
		for ; total > wide; total-- {
			widest := 0
			for j, w := range widths {
				if w > widths[widest] {
					widest = j
				}
			}
			if widths[widest] <= least {
				break
			}
			widths[widest]--
		}
	}
	var text strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for j, cell := range row {
			cell = cells.Truncate(cell, widths[j], "…")
			if j > 0 {
				line.WriteString(gap)
			}
			line.WriteString(cells.FillRight(cell, widths[j]))
		}
		text.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// list writes what a list gives, up to most of it, as a table or as JSON.
func list[T any](c *cli, most int, all iter.Seq2[T, error], head []string, row func(T) []string) error {
	items := []T{}
	t := table{head: head}
	for item, err := range all {
		if err != nil {
			return err
		}
		items = append(items, item)
		t.rows = append(t.rows, row(item))
		if len(items) == most {
			break
		}
	}
	if c.output == "json" {
		return c.json(items)
	}
	return t.write(c.out, width(c.out))
}

// json writes a value, indented.
func (c *cli) json(v any) error {
	e := json.NewEncoder(c.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// line writes a value on one line.
func (c *cli) line(v any) error {
	e := json.NewEncoder(c.out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// facts writes names and values below each other; what is empty is left out.
func (c *cli) facts(pairs ...string) {
	longest := 0
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			longest = max(longest, cells.StringWidth(pairs[i]))
		}
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			fmt.Fprintf(c.out, "%s%s%s\n", cells.FillRight(pairs[i], longest), gap, clean(pairs[i+1]))
		}
	}
}

// done says what was done: on the table's side in words, as JSON where that was asked for.
func (c *cli) done(result any, words string) error {
	if c.output == "json" {
		return c.json(result)
	}
	_, err := fmt.Fprintln(c.out, clean(words))
	return err
}

// moment writes a time as people read it, in the zone of this machine.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

func momentOf(t *time.Time) string {
	if t == nil {
		return ""
	}
	return moment(*t)
}

func orEmpty[T ~string](text *T) string {
	if text == nil {
		return ""
	}
	return string(*text)
}
