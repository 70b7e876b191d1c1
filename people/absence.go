package people

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Absence says that somebody is away, and who stands in.
type Absence struct {
	ID       string    `json:"id"`
	Person   string    `json:"person"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to,omitzero"`        // the first moment at which the person is back; zero: until it is ended
	Deputy   string    `json:"deputy,omitempty"`   // id of a person; empty: nobody stands in
	Services []string  `json:"services,omitempty"` // keys of the services that it is for; empty: all of them
}

// Check tells what is wrong with an absence by itself.
func (a Absence) Check() (f Faults) {
	f.person("person", a.Person)
	switch {
	case a.From.IsZero():
		f.add("from", "is required")
	case !a.To.IsZero() && !a.To.After(a.From):
		f.add("to", "must be after from")
	}
	for _, end := range []struct {
		field string
		at    time.Time
	}{{"from", a.From}, {"to", a.To}} {
		if year := end.at.UTC().Year(); year < 1 || year > 9999 {
			f.add(end.field, "must lie in the years 1 to 9999")
		}
	}
	if a.Deputy != "" {
		f.person("deputy", a.Deputy)
		if a.Deputy == a.Person {
			f.add("deputy", "must be somebody else")
		}
	}
	if len(a.Services) > MaxServices {
		f.over("services", MaxServices, "items", len(a.Services))
		return f
	}
	for i, key := range a.Services {
		f.text(fmt.Sprintf("services[%d]", i), key, 1, MaxWord)
	}
	return f
}

// Holds reports whether the person is away by this absence, as far as a service is concerned: from From on, and no longer at To. An empty service
// asks for absences from everything.
func (a Absence) Holds(service string, at time.Time) bool {
	return !at.Before(a.From) && (a.To.IsZero() || at.Before(a.To)) && (len(a.Services) == 0 || slices.Contains(a.Services, service))
}

// before orders the absences of a person by which of them counts: what is for some services before what is for all, then what began later.
func before(a, b Absence) int {
	rank := func(a Absence) int {
		if len(a.Services) > 0 {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), b.From.Compare(a.From), strings.Compare(a.ID, b.ID))
}

// Standing is who stands in for somebody who is absent.
type Standing struct {
	For    string    `json:"for"`
	Deputy string    `json:"deputy,omitempty"` // empty: For is absent, and nobody stands in
	Until  time.Time `json:"until,omitzero"`   // when to ask again: the first end of an absence that led to this; zero: none of them has an end
}

// DeputyOf tells who stands in for a person at that time, as far as a service is concerned. Where the deputy is absent too, that one's deputy does, and so
// on; nobody does where this leads back to somebody who is absent, goes on for longer than MaxChain, or ends with somebody who is not active or not known. absent is false for somebody who is there,
// and for whomever the directory does not know.
func (d *Directory) DeputyOf(person, service string, at time.Time) (s Standing, absent bool) {
	s.For = person
	seen := map[string]bool{}
	for who := person; ; {
		a, away := d.absence(who, service, at)
		switch {
		case !away && who == person:
			return Standing{}, false
		case !away:
			if d.persons[who].Active {
				s.Deputy = who
			}
			return s, true
		case seen[who] || len(seen) == MaxChain:
			return s, true
		}
		if seen[who] = true; !a.To.IsZero() && (s.Until.IsZero() || a.To.Before(s.Until)) {
			s.Until = a.To
		}
		if a.Deputy == "" {
			return s, true
		}
		who = a.Deputy
	}
}

// absence gives the one that counts, of those that hold.
func (d *Directory) absence(person, service string, at time.Time) (Absence, bool) {
	i := slices.IndexFunc(d.absences[person], func(a Absence) bool { return a.Holds(service, at) })
	if i < 0 {
		return Absence{}, false
	}
	return d.absences[person][i], true
}

// SuccessorOf tells who takes over what somebody was asked who is no longer active: who stands in for them at that time, or else their manager, and
// for an absent manager who stands in there. Empty: nobody.
func (d *Directory) SuccessorOf(person, service string, at time.Time) string {
	return d.Find(Want{At: at, Service: service, Persons: []string{person}, Managers: []string{person}}).SuccessorOf(person)
}

// SuccessorOf is the same by facts in which the person and the person's manager were wanted.
func (f Facts) SuccessorOf(person string) string {
	if s, absent := f.StandingFor(person); absent && s.Deputy != "" {
		return s.Deputy
	}
	manager := f.ManagerOf(person)
	if s, absent := f.StandingFor(manager); absent && s.Deputy != "" && s.Deputy != person {
		return s.Deputy
	}
	return manager
}
