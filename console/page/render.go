package page

import (
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"strings"
	"sync"
	"text/template/parse"
	"time"

	"signalbox/console/templates"
)

// set is all templates with the functions that one visit at a time gives its language, zone and session.
type set struct {
	all   *template.Template
	visit *Visit
}

// sets are those that nobody renders with at the moment: as many as there were visits at once, since a template's functions cannot be changed by two.
type sets struct {
	mu   sync.Mutex
	free []*set
}

var rendering sets

// keptSets bounds how many are kept for later.
const keptSets = 16

func (s *sets) take(v *Visit) *set {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.free); n > 0 {
		out := s.free[n-1]
		s.free = s.free[:n-1]
		out.visit = v
		return out
	}
	out := newSet()
	out.visit = v
	return out
}

func (s *sets) give(used *set) {
	used.visit = nil
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.free) < keptSets {
		s.free = append(s.free, used)
	}
}

// newSet parses all templates. What is wrong with one is a fault of the build, which any test finds.
func newSet() *set {
	s := &set{}
	s.all = template.New("console").Funcs(s.functions())
	defined := map[string]string{}
	err := fs.WalkDir(templates.Files, ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		raw, err := templates.Files.ReadFile(file)
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(file, ".html")
		trees := map[string]*parse.Tree{}
		tree := parse.New(name)
		tree.Mode = parse.SkipFuncCheck
		if _, err := tree.Parse(string(raw), "", "", trees); err != nil {
			return err
		}
		for part := range trees {
			if other := defined[part]; other != "" {
				return fmt.Errorf("%s and %s both define %q", other, file, part)
			}
			defined[part] = file
		}
		_, err = s.all.New(name).Parse(string(raw))
		return err
	})
	if err != nil {
		panic("console: " + err.Error())
	}
	return s
}

// functions are what templates can call. Those of language, time and session ask the visit that is being rendered.
func (s *set) functions() template.FuncMap {
	return template.FuncMap{
		"t":      func(key string, with ...any) string { return s.visit.T(key, with...) },
		"reason": func(sentence string) string { return s.visit.Why(sentence) },
		"word":   func(kind string, word any) string { return s.visit.Word(kind, word) },
		"iso":    func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) },
		"clock":  func(t time.Time) string { return Clock(t, s.visit.Zone()) },
		"exact":  func(t time.Time) string { return exact(s.visit.Language(), t, s.visit.Zone()) },
		"ago":    func(t time.Time) string { return ago(s.visit.Language(), t, s.visit.site.Now(), s.visit.Zone()) },
		"past":   func(t time.Time) bool { return t.Before(s.visit.site.Now()) },
		"guard":  func() string { return s.visit.session.guard() },
		"key":    newKey,
		"person": func(id any, class ...string) template.HTML { return s.visit.person(id, class...) },
		"called": func(id any) string { return s.visit.called(id) },
		"tells":  func(text string) template.HTML { return s.visit.tells(text) },
		"who":    func() Who { return s.visit.Who },
		"may":    func(right string) bool { return s.visit.Who.May(Right(right)) },
		"dict":   dict,
		"text":   Text, "fold": Fold, "pretty": Pretty, "took": Took, "asset": asset, "opening": Opening,
		"millis": func(ms *int64) time.Time { return time.UnixMilli(*ms).UTC() },
	}
}

// dict makes a map of names and values, for a part that needs more than one thing.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, errors.New("a name without a value")
	}
	out := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		out[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return out, nil
}
