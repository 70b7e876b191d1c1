package ticket

import "slices"

// Action is what somebody wants to do to a ticket, in the words of the issue family's handle call.
type Action string

// Actions of a process. Which of them a ticket takes depends on where it stands.
const (
	Accept         Action = "accept"
	CommitSolution Action = "commit-solution"
	Confirm        Action = "confirm"
	Approve        Action = "approve"
	Reject         Action = "reject"
	Claim          Action = "claim"
	Deliver        Action = "deliver" // hand over to somebody else
	Retry          Action = "retry"   // an automatic node that failed
	Skip           Action = "skip"    // likewise
	Suspend        Action = "suspend"
	Unsuspend      Action = "unsuspend"
	Withdraw       Action = "withdraw"
	Terminate      Action = "terminate"
)

// Actions beside the process, each with a call of its own.
const (
	Close  Action = "close"
	Reopen Action = "reopen"
	Relate Action = "relate"
	Say    Action = "say"
	Revise Action = "revise"
	Report Action = "report" // what an external system says of the case
)

// HandleActions are the words the issue family's handle call takes.
var HandleActions = []Action{Accept, CommitSolution, Confirm, Approve, Reject, Claim, Deliver, Retry, Skip, Suspend, Unsuspend,
	Withdraw, Terminate}

// SignalActions are the second door: names of Temporal signals that mean the action of the same name.
var SignalActions = []Action{Accept, CommitSolution, Confirm}

// ServiceIncident is the built-in process of an incident: accept, solve, confirm; a solution found wanting goes back to be solved again.
const ServiceIncident = "incident"

// Node is a place in a process where somebody is asked to act.
type Node struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Processors []string `json:"processors"` // empty: anybody may act
	Actions    []Action `json:"actions"`
}

// move is one line of a process's table: in this status, this action leads there.
type move struct {
	from Status
	do   Action
	to   Status
	says Type
}

type process struct {
	version int
	first   Status
	moves   []move
	nodes   func(Ticket) []Node
}

// find gives the line for an action in a status. Confirm has two: the verdict chooses.
func (p process) find(from Status, c Command) (move, bool) {
	for _, m := range p.moves {
		if m.from == from && m.do == c.Action && (m.do != Confirm || (m.says == Confirmed) == c.Verdict.Passed) {
			return m, true
		}
	}
	return move{}, false
}

var processes = map[string]process{
	ServiceIncident: {
		version: 1,
		first:   Triggered,
		moves: []move{
			{Triggered, Accept, Acknowledged, Accepted},
			{Acknowledged, CommitSolution, Resolved, Solved},
			{Resolved, Confirm, Completed, Confirmed},
			{Resolved, Confirm, Acknowledged, Returned},
		},
		nodes: func(t Ticket) []Node {
			switch t.Status {
			case Triggered:
				return []Node{{ID: "accept", Name: "Accept", Processors: some(t.Assignee), Actions: []Action{Accept}}}
			case Acknowledged:
				return []Node{{ID: "solve", Name: "Solve", Processors: some(t.Assignee), Actions: []Action{CommitSolution}}}
			case Resolved:
				return []Node{{ID: "confirm", Name: "Confirm", Processors: some(t.Opener), Actions: []Action{Confirm}}}
			}
			return nil
		},
	},
}

func some(name string) []string {
	if name == "" {
		return []string{}
	}
	return []string{name}
}

// Nodes lists where the ticket waits for somebody, and for whom. An ended ticket waits for nobody.
func (t Ticket) Nodes() []Node {
	process, ok := processes[t.Service]
	if !ok || t.Ended() {
		return nil
	}
	return process.nodes(t)
}

// WaitingFor lists everybody the ticket asks to act, without repetition.
func (t Ticket) WaitingFor() []string {
	var names []string
	for _, node := range t.Nodes() {
		for _, name := range node.Processors {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}
