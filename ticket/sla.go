package ticket

import (
	"time"

	"signalbox/flow"
)

// What lists and readers call how a ticket stands with its SLAs.
const (
	SLAStateWarned   = "warned"   // one that is not over has warned, and none is breached
	SLAStateBreached = "breached" // one of the ticket's present generation is, whether what it promised was done in the end or not
)

// SLAStates lists them.
var SLAStates = []string{SLAStateWarned, SLAStateBreached}

// SLAKept is how lists find those that ended having promised something, all of which was kept. It is none of SLAStates, of which a caller is told.
const SLAKept = "kept"

// SLAListed is what lists find a ticket by: its SLAState, or SLAKept.
func (t Ticket) SLAListed() string {
	state := t.SLAState()
	if t.Ended() && len(t.Position.SLA) > 0 && state != SLAStateBreached {
		return SLAKept
	}
	return state
}

// SLAState is how the ticket stands with its SLAs; empty: well, or it has none.
func (t Ticket) SLAState() (state string) {
	for _, c := range t.Position.SLA {
		switch {
		case c.Breached != nil:
			return SLAStateBreached
		case c.Warned != nil && c.Over == nil:
			state = SLAStateWarned
		}
	}
	return state
}

// DueAt is when the first of the ticket's SLAs that are not over has to be met, which may have passed; nil: none is, or their clocks stand still.
func (t Ticket) DueAt() (due *time.Time) {
	for _, c := range t.Position.SLA {
		if c.Due != nil && c.Over == nil && (due == nil || c.Due.Before(*due)) {
			due = c.Due
		}
	}
	return due
}

// ofSLA is the type of the event by which a timer of an SLA is told.
func ofSLA(f flow.Fired) Type {
	if f.Stage == flow.StageWarn {
		return SLAWarned
	}
	return SLABreached
}

// lapsed decides the timers of SLAs that have come before a command and were not heard of: a promise that was broken a moment before it is kept is told as broken, in an event
// of its own, and not passed over because a command was faster than its timer. They belong to the operation of the command.
func (t Ticket) lapsed(c Command, at time.Time) (Ticket, []Event, error) {
	var out []Event
	if c.Action == Fire {
		return t, nil, nil
	}
	for again := true; again; {
		again = false
		for _, timer := range t.Timers() {
			if timer.SLA == "" || timer.At.After(t.clock(at)) {
				continue
			}
			fired := timer.Fired()
			fire := Command{Action: Fire, Fired: &fired, Channel: ChannelSystem, App: string(ChannelSystem), Operation: c.Operation}
			e, err := t.decide(fire, t.clock(at))
			if err != nil || e == nil {
				return t, nil, err
			}
			event := t.next(*e, fire, at)
			t, out, again = Evolve(t, event), append(out, event), true
			break
		}
	}
	return t, out, nil
}
