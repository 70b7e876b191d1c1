package ticket

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"signalbox/flow"
)

// Limits of the contracts; all lengths count characters, not bytes.
const (
	MaxName         = 255    // origin, operator, assignee, author, an item of a relation
	MaxTitle        = 255    // issue family
	MaxDescription  = 65_536 //
	MaxTags         = 50     //
	MaxTag          = 64     //
	MaxRelationType = 64     // of A-Za-z0-9_.-
	MaxRelated      = 10_000 // items of all relations of a ticket together
	MaxRelations    = 1_000  // types of relations of one ticket; like MaxMessages it keeps the state small, empty relations included
	MaxMessage      = 10_000 //
	MaxMessages     = 1_000  // of one ticket, so that its state can always be carried through a roll-over
	MaxCause        = 10_000 // seed 001; the solution likewise, and what an external system says of it
	MaxFollowers    = 50     // whom an opening names
	MaxFollowing    = 200    // who follow a ticket, those whom its opening named among them
	MaxLinks        = 50     // external issues of one ticket; like MaxMessages
	MaxComment      = 300    // seed 001: virtual_confirm_comment
	MaxReason       = 1_000  // why somebody closed, reopened, suspended, withdrew or terminated
	MaxURL          = 2_048  //
)

// MaxMillis is the last millisecond of the year 9999, since 1970: the latest time that a caller can tell in them.
const MaxMillis = 253_402_300_799_999

// millis checks a time in milliseconds since 1970 that may be missing.
func (f *Faults) millis(field string, at *int64) {
	if at != nil && (*at < 0 || *at > MaxMillis) {
		f.Add(field, "must be milliseconds since 1970, up to the year 9999")
	}
}

// Limits in bytes of JSON. Together with those above they keep a ticket and any one event of it below what Temporal takes as one payload
// (2 MiB), even where JSON spells one character with six.
const (
	MaxFields     = 128 << 10 // of a ticket
	MaxDefinition = 256 << 10 // of a service; pinned, it is part of the ticket
	MaxPosition   = 384 << 10 // where a ticket stands in its process: people, votes and their comments
	MaxNamed      = 64 << 10  // whom a caller names
	MaxEvent      = 1 << 20   // of an opening or a relation; all others are far smaller
)

// Over says of something that it has more of a unit than it can have: see flow.Over.
func Over(most int, unit string, has int) string { return flow.Over(most, unit, has) }

// Text checks a free text: valid UTF-8, between min and max characters. With min above zero, blanks alone do not count as text.
func (f *Faults) Text(field, value string, min, max int) {
	switch {
	case !utf8.ValidString(value):
		f.Add(field, "must be valid UTF-8")
	case strings.ContainsRune(value, 0):
		f.Add(field, "must not contain the character NUL")
	case min > 0 && strings.TrimSpace(value) == "":
		f.Add(field, "is required and must not be empty")
	case utf8.RuneCountInString(value) < min:
		f.Add(field, fmt.Sprintf("must have at least %d characters, not %d", min, utf8.RuneCountInString(value)))
	case utf8.RuneCountInString(value) > max:
		f.Add(field, Over(max, "characters", utf8.RuneCountInString(value)))
	}
}

// Name checks a text that names somebody or something: as Text, and without control characters.
func (f *Faults) Name(field, value string, min, max int) {
	had := len(*f)
	f.Text(field, value, min, max)
	if len(*f) == had && strings.ContainsFunc(value, unicode.IsControl) {
		f.Add(field, "must not contain control characters")
	}
}

// Word checks an identifier of A-Za-z0-9_.- .
func (f *Faults) Word(field, value string, max int) {
	had := len(*f)
	f.Text(field, value, 1, max)
	if len(*f) > had {
		return
	}
	for _, r := range value {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '.' || r == '-') {
			f.Add(field, "may only contain A-Z, a-z, 0-9, '_', '.' and '-'")
			return
		}
	}
}

func (f *Faults) relation(field string, r Relation) {
	f.Word(field+".type", r.Type, MaxRelationType)
	f.items(field+".content", r.Content)
}

func (f *Faults) items(field string, items []string) {
	if len(items) > MaxRelated {
		f.Add(field, Over(MaxRelated, "items", len(items)))
		return
	}
	for i, item := range items {
		f.Name(fmt.Sprintf("%s[%d]", field, i), item, 1, MaxName)
		if len(*f) >= maxFaults {
			return
		}
	}
}

// maxFaults bounds how many faults one answer tells of.
const maxFaults = 20

// distinct drops repetitions and keeps the order of first appearance.
func distinct(items []string) []string {
	seen := make(map[string]bool, len(items))
	out := make([]string, 0, len(items))
	for _, item := range items {
		if !seen[item] {
			seen[item] = true
			out = append(out, item)
		}
	}
	return out
}
