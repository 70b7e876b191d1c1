package flow

import (
	"fmt"
	"slices"
	"strings"
)

// empty reports whether nobody could ever be named.
func (p *Processors) empty() bool {
	return p == nil || len(p.Persons) == 0 && !p.Opener && !p.Caller && !p.Anyone && !p.changing()
}

// everyProcessors goes through all places of a definition that name people.
func (d Definition) everyProcessors(do func(path string, p *Processors)) {
	for i, n := range d.Nodes {
		n.everyProcessors(fmt.Sprintf("nodes[%d]", i), do)
	}
}

func (n Node) everyProcessors(at string, do func(path string, p *Processors)) {
	visit := func(member string, p *Processors) {
		if p != nil {
			do(at+"."+member, p)
		}
	}
	visit("processors", n.Processors)
	visit("assigners", n.Assigners)
	visit("deliver", n.Deliver)
	visit("add", n.Add)
	for k, s := range n.Deadline {
		visit(fmt.Sprintf("deadline[%d].to", k), s.To)
	}
}

// anyone reports whether anybody may act.
func (p *Processors) anyone() bool { return p != nil && p.Anyone }

// fixed reports whether the persons listed are everybody that will be asked.
func (p *Processors) fixed() bool {
	return len(p.Persons) > 0 && !p.Opener && !p.Caller && !p.Anyone && !p.changing()
}

// changing reports whether whom they name can be somebody else when the ticket comes back.
func (p *Processors) changing() bool {
	return len(p.Fields) > 0 || p.Assignee || p.lookups() || p.HTTP != nil
}

// asked checks processors that must be there.
func (b *builder) asked(path string, p *Processors) {
	if p.empty() {
		b.add(path, "nobody is named: persons, opener, assignee, fields, groups, manager_of, http, caller or anyone")
		return
	}
	b.people(path, p)
}

// others checks to whom a node may be handed over, or who may be added. Tickets run through definitions in which such a list names nobody: there nobody
// can be named but by an admin.
func (b *builder) others(path string, p *Processors) {
	if b.publishing && p != nil && p.empty() {
		b.add(path, "nobody is named: leave it out, or say persons, opener, assignee, fields, groups, manager_of or anyone")
	}
	b.people(path, p)
}

// people checks processors that may be left out. Whether their fields exist is checked with the expressions.
func (b *builder) people(path string, p *Processors) {
	if p != nil {
		b.persons(path+".persons", p.Persons)
		b.looks(path, p)
	}
}

func (b *builder) persons(path string, persons []string) {
	if len(persons) > MaxPersons {
		b.add(path, "%s", Over(MaxPersons, "persons", len(persons)))
		return
	}
	seen := map[string]bool{}
	for i, person := range persons {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case !b.text(at, person, 1, MaxName):
		case strings.Contains(person, ","):
			b.add(at, "must not contain a comma")
		case seen[person]:
			b.add(at, "%s is there twice", person)
		}
		seen[person] = true
	}
}

// SplitPersons reads a comma list of persons. Of `name(display)` the name counts (itsm: members travel like this); a display name may have commas
// of its own. Each is named once.
func SplitPersons(list string) []string { return RulesNow.persons(list) }

// persons is SplitPersons by the rules of a ticket.
func (r Rules) persons(list string) []string {
	items := strings.Split(list, ",")
	if r >= RulesWeighed {
		items = split(list)
	}
	names := make([]string, 0, len(items))
	for _, name := range items {
		name, _, _ = strings.Cut(name, "(")
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return distinct(names)
}

// persons works out who is named. Caller names nobody by itself: see ask.
func (r *run) persons(p *Processors) []string {
	if p == nil {
		return nil
	}
	all := slices.Clone(p.Persons)
	if p.Opener {
		all = append(all, r.env.Opener)
	}
	if p.Assignee {
		all = append(all, r.env.Assignee)
	}
	for _, key := range p.Fields {
		if named := r.env.Rules.persons(strings.Join(list(r.env.Fields[key]), ",")); len(named) > 0 {
			all = append(all, named...)
			break
		}
	}
	all = append(all, r.lookUp(p)...)
	return distinct(slices.DeleteFunc(all, func(name string) bool { return name == "" }))
}

// ask works out who is asked at a node that is being entered. Whoever the caller named takes the place of the node's own processors, but
// only at nodes that are plainly processed (itsm.md 1.4). When the ticket comes back to a node, those asked before are asked again, also
// after a hand-over by persons but not after one by a deadline, unless they come from something that can have changed meanwhile: a field, the
// assignee, the directory, an answer from outside. Not known: they have to be asked for first.
func (r *run) ask(n *node, before NodeState) (o Roster, known bool) {
	again := before.Roster
	if before.Lasting != nil {
		again = *before.Lasting
	}
	plain := n.Type == Approval || n.Distribute == ByAll
	named := r.env.Named[n.ID]
	if !plain {
		named = nil
	}
	nobody := len(again.Asked) == 0 && !again.Anyone
	switch {
	case plain && before.Round > 0 && !nobody && (!n.Processors.changing() || len(named) > 0):
		again = again.clone()
		before.rejoin(&again, n)
		return again, true
	case len(named) > 0:
		return Roster{Asked: r.env.Rules.persons(strings.Join(named, ","))}, true
	case n.outside():
		return Roster{}, false
	}
	return r.roster(n, nil), true
}

// roster is everybody whom the processors of a node name, and those besides whom an answer from outside does.
func (r *run) roster(n *node, named []string) Roster {
	return Roster{Asked: distinct(append(r.persons(n.Processors), named...)), Anyone: n.Processors.Anyone}
}
