package desk

import (
	"context"
	"errors"
	"fmt"

	"signalbox/flow"
	"signalbox/people"
	"signalbox/ticket"
)

// People answers what is asked about a tenant's people.
type People interface {
	// Lookup gives all of what is wanted. What the directory does not know is a fact too, and no error.
	Lookup(ctx context.Context, tenant string, want people.Want) (people.Facts, error)
}

// nobody is a directory that knows nobody.
type nobody struct{}

func (nobody) Lookup(_ context.Context, _ string, want people.Want) (people.Facts, error) {
	return people.NewDirectory(nil, nil, nil).Find(want), nil
}

// mostLookUps bounds how often one command is looked at again with more facts: a fact can lead to a node that needs others.
const mostLookUps = 20

// errLookUps tells that a command needs ever more facts.
var errLookUps = errors.New("desk: the facts that a command needs do not come to an end")

// maxFacts bounds what one look-up gives, in bytes of the ids of members: it goes to the ticket's workflow, which takes no more than 2 MiB at once.
const maxFacts = 256 << 10

// LookUp asks a tenant's directory what a process needs to know, as it is now. Of groups that have too many members in all, the first are given.
func (d *Desk) LookUp(ctx context.Context, tenant, service string, need flow.Need) (flow.Facts, error) {
	facts, room := flow.Facts{Groups: map[string]flow.Group{}, Managers: map[string]string{}}, maxFacts
	for groups, managers := need.Groups, need.Managers; len(groups)+len(managers) > 0; {
		some, of := groups[:min(len(groups), people.MaxAsked)], managers[:min(len(managers), people.MaxAsked)]
		groups, managers = groups[len(some):], managers[len(of):]
		found, err := d.opts.People.Lookup(ctx, tenant, people.Want{At: d.opts.Now(), Service: service, Groups: some, Managers: of})
		if err != nil {
			return facts, fmt.Errorf("look people up: %w", err)
		}
		for _, id := range some {
			g, _ := found.Group(id)
			for i, who := range g.Members {
				if room -= len(who); room < 0 {
					g.Members, g.More = g.Members[:i], true
					break
				}
			}
			facts.Groups[id] = flow.Group{Unknown: !g.Known, Members: g.Members, More: g.More}
		}
		for _, who := range of {
			facts.Managers[who] = ""
		}
		for _, m := range found.Managers {
			facts.Managers[m.Of] = m.Manager
		}
		for _, s := range standings(found) {
			if facts.Standings == nil {
				facts.Standings = map[string]flow.Standing{}
			}
			facts.Standings[s.For] = s
		}
	}
	return facts, nil
}

// inform gives a command the facts that deciding it needs, of the ticket as the read model has it. The ticket's workflow decides it all the same, and says so
// where it needs others: see update.
func (d *Desk) inform(ctx context.Context, t ticket.Ticket, c ticket.Command) (ticket.Command, error) {
	if !t.LooksUp() {
		return c, nil
	}
	if t.Ended() {
		t.Generation++
	}
	for range mostLookUps {
		_, err := ticket.DecideChecked(t, c, d.opts.Now())
		var need *flow.Need
		if !errors.As(err, &need) {
			return c, nil // what is refused here is refused by whoever decides
		}
		found, err := d.LookUp(ctx, t.Tenant, t.Service, *need)
		if err != nil {
			return c, err
		}
		c = c.Informed(found)
	}
	return c, errLookUps
}

// update sends a command to the ticket's workflow, and again with more facts where the workflow needs them: nothing has happened then.
func (d *Desk) update(ctx context.Context, t ticket.Ticket, c ticket.Command) ([]ticket.Event, error) {
	for range mostLookUps {
		events, err := d.engine.Update(ctx, t.Identity, t.Generation, SeenOf(t), c)
		var need *flow.Need
		if !errors.As(err, &need) {
			return events, err
		}
		found, err := d.LookUp(ctx, t.Tenant, t.Service, *need)
		if err != nil {
			return nil, err
		}
		c = c.Informed(found)
	}
	return nil, errLookUps
}

// informDraft gives a draft the facts that opening it needs. What is wrong with the draft is told by whoever opens it.
func (d *Desk) informDraft(ctx context.Context, tenant string, draft *ticket.Draft) error {
	if !draft.LooksUp() {
		return nil
	}
	for range mostLookUps {
		checked, err := draft.Check()
		if err != nil {
			return nil
		}
		need := checked.Needs(d.opts.Now())
		if need == nil {
			return nil
		}
		found, err := d.LookUp(ctx, tenant, checked.Service(), *need)
		if err != nil {
			return unavailable(err)
		}
		draft.Facts = draft.Facts.With(found)
	}
	return unavailable(errLookUps)
}
