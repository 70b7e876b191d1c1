package tickets

import (
	"slices"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"signalbox/ticket"
)

const (
	maxTerms       = 256   // of one ticket
	maxDescription = 2_000 // characters of a description that are searched
	maxTerm        = 64    // characters of one term; longer words are found by their beginning
	minPrefix      = 3     // characters from which the last word of a search may be the beginning of a longer one
)

// script tells how a character takes part in words.
type script int

const (
	gap    script = iota
	spaced        // letters and digits of scripts that put spaces between words
	dense         // Chinese, Japanese, Korean: no spaces, so every two neighbours make a term
)

func scriptOf(r rune) script {
	switch {
	case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul):
		return dense
	case unicode.IsLetter(r), unicode.IsDigit(r), unicode.IsMark(r):
		return spaced
	}
	return gap
}

// run is a stretch of characters of one script.
type run struct {
	script script
	text   []rune
}

// fold gives the spelling in which words are the same to those who search: without differences of case, of width, of form (ligatures, circled digits)
// and of how accents are put together. See Unicode's chapter 3.13, toNFKC_Casefold, and UAX 15.
func fold(text string) string {
	return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(text)))
}

func runsOf(text string) []run {
	var runs []run
	last := gap
	for _, r := range text {
		s := scriptOf(r)
		if s != gap {
			if s != last {
				runs = append(runs, run{script: s})
			}
			r1 := &runs[len(runs)-1]
			r1.text = append(r1.text, r)
		}
		last = s
	}
	return runs
}

// terms gives what a run is found by.
func (r run) terms() []string {
	if r.script == spaced {
		return []string{string(r.text[:min(len(r.text), maxTerm)])}
	}
	var terms []string
	for i := 0; i+1 < len(r.text); i++ {
		terms = append(terms, string(r.text[i:i+2]))
	}
	// The last character alone: with it, every character of the run is a term or begins one.
	return append(terms, string(r.text[len(r.text)-1:]))
}

// Terms gives the terms a ticket is found by, at most maxTerms, the most telling parts first.
func Terms(t ticket.Ticket) []string {
	description := []rune(t.Description)
	description = description[:min(len(description), maxDescription)]
	var terms []string
	seen := map[string]bool{}
	for _, text := range append(append([]string{t.Number, t.Title, t.Origin}, t.Tags...), string(description)) {
		for _, run := range runsOf(fold(text)) {
			for _, term := range run.terms() {
				if seen[term] {
					continue
				}
				if len(terms) == maxTerms {
					return terms
				}
				seen[term] = true
				terms = append(terms, term)
			}
		}
	}
	return terms
}

// searchTerms is what a ticket must have to be found.
type searchTerms struct {
	terms    []string // all of these
	prefixes []string // and for each of these a term that begins so
}

// none reports whether there is no word in what was asked for; then nothing is found.
func (s searchTerms) none() bool { return len(s.terms)+len(s.prefixes) == 0 }

// searchFor reads what somebody typed, in its folded spelling. The last word is taken for a beginning, since it may not be finished.
func searchFor(text string) searchTerms {
	var s searchTerms
	add := func(to *[]string, term string) {
		if !slices.Contains(*to, term) {
			*to = append(*to, term)
		}
	}
	runs := runsOf(fold(text))
	for i, r := range runs {
		terms := r.terms()
		switch {
		case r.script == dense && len(r.text) == 1:
			// It is a term at the end of a run and begins one everywhere else.
			add(&s.prefixes, terms[0])
		case r.script == dense:
			for _, term := range terms[:len(terms)-1] {
				add(&s.terms, term)
			}
		case i == len(runs)-1 && len(r.text) >= minPrefix:
			add(&s.prefixes, terms[0])
		default:
			add(&s.terms, terms[0])
		}
	}
	return s
}

// prefixEnd gives the first bytes that no longer begin with prefix.
func prefixEnd(prefix string) []byte {
	end := []byte(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] < 0xff {
			end[i]++
			return end[:i+1]
		}
	}
	return nil // not UTF-8, which never has 0xff
}
