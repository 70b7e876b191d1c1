package flow

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Facts is what was found about people outside of the process, by those who give it an input. It is plain data and goes along with the input, so that what was
// decided by it is decided alike in a replay. What is not there has not been looked up.
type Facts struct {
	Groups   map[string]Group  `json:"groups,omitempty"`   // by id
	Managers map[string]string `json:"managers,omitempty"` // by whose manager it is; empty: nobody is known
	// Standings tells of people by name whether they are absent, and who stands in: nobody for those who are there. What is not known of somebody is not asked for.
	Standings map[string]Standing `json:"standings,omitempty"`
}

// Group is who is in a group.
type Group struct {
	Unknown bool     `json:"unknown,omitempty"`
	Members []string `json:"members,omitempty"` // active, each once
	More    bool     `json:"more,omitempty"`    // there are more than could be given
}

// With gives facts together with others, which count where both say something.
func (f Facts) With(more Facts) Facts {
	groups, managers, standings := maps.Clone(f.Groups), maps.Clone(f.Managers), maps.Clone(f.Standings)
	if groups == nil {
		groups = map[string]Group{}
	}
	if managers == nil {
		managers = map[string]string{}
	}
	maps.Copy(groups, more.Groups)
	if standings == nil {
		standings = more.Standings
	}
	maps.Copy(managers, more.Managers)
	maps.Copy(standings, more.Standings)
	return Facts{Groups: groups, Managers: managers, Standings: standings}
}

// Need is an error: what has to be known before an input can be decided. Nothing has happened; the same input is given again with the facts.
type Need struct {
	Groups   []string `json:"groups,omitempty"`   // who is in them; in order, each once
	Managers []string `json:"managers,omitempty"` // whose managers; likewise
}

// Error says what is missing.
func (n *Need) Error() string {
	var parts []string
	for _, g := range n.Groups {
		parts = append(parts, "who is in the group "+g)
	}
	for _, who := range n.Managers {
		parts = append(parts, "who is the manager of "+who)
	}
	return "it has to be looked up " + strings.Join(parts, ", and ")
}

// lookups reports whether people are named who have to be looked up.
func (p *Processors) lookups() bool { return p != nil && (len(p.Groups) > 0 || p.ManagerOf != "") }

// LooksUp reports whether the process ever needs facts about people.
func (p *Process) LooksUp() bool { return p.looksUp }

// lookUp gives everybody whom processors name by group or as a manager, at most MaxItems by group, and notes what is missing, and why somebody was found.
func (r *run) lookUp(p *Processors) (all []string) {
	for _, id := range p.Groups {
		g, known := r.env.Facts.Groups[id]
		why := "group " + id
		if room := MaxItems - len(all); len(g.Members) > room {
			g.Members, g.More = g.Members[:room], true
		}
		switch {
		case !known:
			r.groups = append(r.groups, id)
			continue
		case g.Unknown:
			why += ", which is not known"
		case len(g.Members) == 0 && !g.More:
			why += ", which has no active member"
		case g.More:
			why += fmt.Sprintf(", of which only the first %d are asked", len(g.Members))
		}
		r.found = append(r.found, LogEntry{To: g.Members, Note: why})
		all = append(all, g.Members...)
	}
	for _, of := range r.above(p.ManagerOf) {
		manager, known := r.env.Facts.Managers[of]
		if !known {
			r.managers = append(r.managers, of)
			continue
		}
		entry := LogEntry{Note: "manager of " + of}
		if manager == "" {
			entry.Note += ", who has none"
		} else {
			entry.To = []string{manager}
		}
		r.found = append(r.found, entry)
		all = append(all, entry.To...)
	}
	return all
}

// above lists those whose managers are meant.
func (r *run) above(of string) []string {
	var who []string
	switch of {
	case "":
	case "opener":
		who = []string{r.env.Opener}
	case "assignee":
		who = []string{r.env.Assignee}
	default:
		who = r.env.Rules.persons(strings.Join(list(r.env.Fields[of]), ","))
	}
	return slices.DeleteFunc(who, func(name string) bool { return name == "" })
}

// sayFound tells why those were asked who were looked up. Where that is nobody, the node says so.
func (r *run) sayFound(s *NodeState) {
	for _, entry := range r.found {
		r.say(Found, s, entry)
		if len(s.Asked) == 0 && !s.Anyone && s.Reason == "" && len(entry.To) == 0 {
			s.Reason = "the " + entry.Note
		}
	}
	r.found = nil
}

// need is what was missing in this step; nil: nothing.
func (r *run) need() error {
	if len(r.groups)+len(r.managers) == 0 {
		return nil
	}
	each := func(names []string) []string {
		slices.Sort(names)
		return slices.Compact(names)
	}
	return &Need{Groups: each(r.groups), Managers: each(r.managers)}
}

// looks checks who has to be looked up.
func (b *builder) looks(path string, p *Processors) {
	if len(p.Groups) > MaxGroups {
		b.add(path+".groups", "%s", Over(MaxGroups, "groups", len(p.Groups)))
		return
	}
	seen := set{}
	for i, id := range p.Groups {
		at := fmt.Sprintf("%s.groups[%d]", path, i)
		if b.text(at, id, 1, MaxName) && seen[id] {
			b.add(at, "%s is there twice", id)
		}
		seen[id] = true
	}
	b.p.looksUp = b.p.looksUp || p.lookups()
}
