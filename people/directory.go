package people

import (
	"slices"
	"strings"
)

// Directory is what is known of a tenant's people, or as much of it as somebody needs. It is not changed once it was made.
type Directory struct {
	persons  map[string]Person
	groups   map[string]Group
	absences map[string][]Absence // by person, in the order of before
}

// NewDirectory makes one. Of what is given twice the last counts.
func NewDirectory(persons []Person, groups []Group, absences []Absence) *Directory {
	d := &Directory{persons: map[string]Person{}, groups: map[string]Group{}, absences: map[string][]Absence{}}
	for _, p := range persons {
		d.persons[p.ID] = p
	}
	for _, g := range groups {
		d.groups[g.ID] = g
	}
	for _, a := range absences {
		d.absences[a.Person] = append(d.absences[a.Person], a)
	}
	for _, list := range d.absences {
		slices.SortFunc(list, before)
	}
	return d
}

// Person finds a person by the id; known is false for somebody whom the directory does not know.
func (d *Directory) Person(id string) (p Person, known bool) {
	p, known = d.persons[id]
	return p, known
}

// Group finds a group by its id.
func (d *Directory) Group(id string) (g Group, known bool) {
	g, known = d.groups[id]
	return g, known
}

// Members gives the active persons of a group and of the groups in it, each once, in the order of their ids. At most limit are given; more
// tells that there are others. A group that is unknown has none, and so has a member that is.
func (d *Directory) Members(group string, limit int) (ids []string, more bool) {
	seen := map[string]bool{group: true}
	persons := map[string]bool{}
	for open := []string{group}; len(open) > 0; open = open[1:] {
		for _, m := range d.groups[open[0]].Members {
			switch {
			case m.Group != "" && !seen[m.Group]:
				seen[m.Group] = true
				open = append(open, m.Group)
			case m.Person != "" && !persons[m.Person]:
				persons[m.Person] = true
				if d.persons[m.Person].Active {
					ids = append(ids, m.Person)
				}
			}
		}
	}
	slices.Sort(ids)
	if len(ids) > limit {
		return ids[:limit], true
	}
	return ids, false
}

// ManagerOf gives the manager of a person, or who is next above that one where the manager is not active. Empty: there is none, or nobody is known.
func (d *Directory) ManagerOf(person string) string {
	seen := map[string]bool{person: true}
	for at := d.persons[person].Manager; at != "" && !seen[at]; at = d.persons[at].Manager {
		if d.persons[at].Active {
			return at
		}
		seen[at] = true
	}
	return ""
}

// Cycle looks for groups that lead back to the first of them, from any of those that are named. It gives their ids in turn, the first again at the end,
// and nothing where there are none.
func (d *Directory) Cycle(groups ...string) []string {
	const entered, left = 1, 2
	state := map[string]int{}
	var path []string
	var visit func(id string) []string
	visit = func(id string) []string {
		state[id] = entered
		path = append(path, id)
		for _, m := range d.groups[id].Members {
			switch {
			case m.Group == "" || state[m.Group] == left:
			case state[m.Group] == entered:
				return append(slices.Clone(path[slices.Index(path, m.Group):]), m.Group)
			default:
				if cycle := visit(m.Group); cycle != nil {
					return cycle
				}
			}
		}
		path = path[:len(path)-1]
		state[id] = left
		return nil
	}
	for _, id := range groups {
		if state[id] == 0 {
			if cycle := visit(id); cycle != nil {
				return cycle
			}
		}
	}
	return nil
}

// Nesting is how many groups deep a group is: 1 for one without groups in it. The directory must have no cycle.
func (d *Directory) Nesting(group string) int {
	depths := map[string]int{}
	var of func(id string) int
	of = func(id string) int {
		if depth, known := depths[id]; known {
			return depth
		}
		depths[id] = 1 // whoever comes back here meanwhile does not go round
		deepest := 0
		for _, m := range d.groups[id].Members {
			if m.Group != "" {
				deepest = max(deepest, of(m.Group))
			}
		}
		depths[id] = deepest + 1
		return depths[id]
	}
	return of(group)
}

// CheckGroups tells what is wrong with how the groups that are named lie in each other, as a fault of the field.
func (d *Directory) CheckGroups(field string, groups ...string) (f Faults) {
	if cycle := d.Cycle(groups...); cycle != nil {
		f.add(field, "would make the groups a cycle: %s", strings.Join(cycle, " > "))
		return f
	}
	for _, id := range groups {
		if depth := d.Nesting(id); depth > MaxNesting {
			f.add(field, "would lie %d groups deep; at most %d may lie in each other", depth, MaxNesting)
		}
	}
	return f
}
