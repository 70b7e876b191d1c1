package people

import (
	"slices"
	"strings"
	"time"
)

// Limits of what is asked at once.
const (
	MaxAsked = 500   // persons, groups and managers of one Want, each
	MaxFound = 1_000 // members of one group that are given
)

// Want is what a process needs to know of the directory at a time. Ids may be there twice; order does not count.
type Want struct {
	At       time.Time `json:"at"`
	Service  string    `json:"service,omitempty"`  // for which absences are looked at
	Persons  []string  `json:"persons,omitempty"`  // whether they are known and active, and who stands in for them
	Groups   []string  `json:"groups,omitempty"`   // who is in them
	Managers []string  `json:"managers,omitempty"` // whose managers are wanted
}

// Empty reports whether nothing is wanted.
func (w Want) Empty() bool { return len(w.Persons)+len(w.Groups)+len(w.Managers) == 0 }

// Check tells what is wrong with it.
func (w Want) Check() (f Faults) {
	for _, part := range []struct {
		field string
		ids   []string
	}{{"persons", w.Persons}, {"groups", w.Groups}, {"managers", w.Managers}} {
		if len(part.ids) > MaxAsked {
			f.over(part.field, MaxAsked, "items", len(part.ids))
		}
	}
	return f
}

// Facts is what was found: a value that is kept, so that whoever reads it later sees what was known then. Every list is in the order of its ids.
type Facts struct {
	At       time.Time     `json:"at"`
	Persons  []KnownPerson `json:"persons,omitempty"`  // of those wanted, the ones that the directory knows
	Groups   []FoundGroup  `json:"groups,omitempty"`   // all that were wanted
	Managers []Managing    `json:"managers,omitempty"` // of those wanted, the ones that have a manager
	// Standings is one for everybody among the persons wanted, the members and the managers found who is absent.
	Standings []Standing `json:"standings,omitempty"`
}

// KnownPerson is somebody whom the directory knows.
type KnownPerson struct {
	ID     string `json:"id"`
	Active bool   `json:"active"`
}

// FoundGroup is who is in a group.
type FoundGroup struct {
	ID      string   `json:"id"`
	Known   bool     `json:"known"`
	Members []string `json:"members,omitempty"` // active, each once; MaxFound at most
	More    bool     `json:"more,omitempty"`    // there are more of them
}

// Managing is who is above somebody.
type Managing struct {
	Of      string `json:"of"`
	Manager string `json:"manager"`
}

// Find answers what is wanted.
func (d *Directory) Find(w Want) Facts {
	facts := Facts{At: w.At}
	asked := slices.Clone(w.Persons)
	for _, id := range each(w.Persons) {
		if p, known := d.Person(id); known {
			facts.Persons = append(facts.Persons, KnownPerson{id, p.Active})
		}
	}
	for _, id := range each(w.Groups) {
		g := FoundGroup{ID: id}
		_, g.Known = d.Group(id)
		g.Members, g.More = d.Members(id, MaxFound)
		facts.Groups = append(facts.Groups, g)
		asked = append(asked, g.Members...)
	}
	for _, id := range each(w.Managers) {
		if manager := d.ManagerOf(id); manager != "" {
			facts.Managers = append(facts.Managers, Managing{id, manager})
			asked = append(asked, manager)
		}
	}
	for _, id := range each(asked) {
		if s, absent := d.DeputyOf(id, w.Service, w.At); absent {
			facts.Standings = append(facts.Standings, s)
		}
	}
	return facts
}

// Person tells whether somebody is known, and active. Whoever was not wanted is not known.
func (f Facts) Person(id string) (active, known bool) {
	i, known := slices.BinarySearchFunc(f.Persons, id, func(p KnownPerson, id string) int { return strings.Compare(p.ID, id) })
	return known && f.Persons[i].Active, known
}

// Group gives a group that was wanted.
func (f Facts) Group(id string) (g FoundGroup, wanted bool) {
	i, wanted := slices.BinarySearchFunc(f.Groups, id, func(g FoundGroup, id string) int { return strings.Compare(g.ID, id) })
	if wanted {
		g = f.Groups[i]
	}
	return g, wanted
}

// ManagerOf gives the manager of somebody whose manager was wanted; empty: none was found.
func (f Facts) ManagerOf(id string) string {
	if i, found := slices.BinarySearchFunc(f.Managers, id, func(m Managing, id string) int { return strings.Compare(m.Of, id) }); found {
		return f.Managers[i].Manager
	}
	return ""
}

// StandingFor tells who stands in for somebody; absent is false for who is there.
func (f Facts) StandingFor(id string) (s Standing, absent bool) {
	i, absent := slices.BinarySearchFunc(f.Standings, id, func(s Standing, id string) int { return strings.Compare(s.For, id) })
	if absent {
		s = f.Standings[i]
	}
	return s, absent
}

// each gives the ids of a list, each once and in order.
func each(ids []string) []string {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return slices.Compact(ids)
}
