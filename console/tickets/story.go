package tickets

import (
	"slices"

	"signalbox/console/page"
	"signalbox/ticket"
)

// Story is a ticket that is kept nowhere, told as the pages of tickets tell of one: where it stands, and what has happened to it.
type Story struct {
	Nodes  nodesView
	Events eventsView
}

// StoryOf tells of a ticket that was played through, with the newest of its events.
func StoryOf(v *page.Visit, t ticket.Ticket, events []ticket.Event) Story {
	t = v.SpokenTicket(t)
	s := Story{Nodes: nodesOf(t)}
	names, fields, called := namesOf(t), formsOf(t), t.Service
	if process, err := t.Process(); err == nil {
		called = process.Definition().Name
	}
	for _, e := range slices.Backward(events[max(0, len(events)-shownStory):]) {
		s.Events.Items = append(s.Events.Items, eventOf(v, v.SpokenEvent(t, e), names, fields).called(called))
	}
	s.Events.Whole, s.Events.Total = len(s.Events.Items) == len(events), len(events)
	return s
}

// shownStory is how many events of a story are told.
const shownStory = 60

// ProblemOf tells why a node of a ticket cannot go on by itself, and what helps; empty: it can.
func ProblemOf(v *page.Visit, t ticket.Ticket, n ticket.Node) (cause, next string) {
	state, _ := t.Position.Find(n.Node)
	return problemOf(v, t, n, state)
}
