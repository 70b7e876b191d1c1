package tickets

import (
	"cmp"
	"slices"
	"time"

	"signalbox/flow"
	"signalbox/ticket"
)

// How a node stands, in the words of the pages.
const (
	nodeCurrent   = "current" // somebody is asked, or something is waited for
	nodeFailed    = "failed"  // waits for somebody to retry or skip it
	nodeDone      = "done"
	nodeSkipped   = "skipped"
	nodeCancelled = "cancelled" // the ticket went elsewhere
)

// nodesView is a process and where a ticket stands in it.
type nodesView struct {
	Current []nodeView // joins last: what they wait for comes before them
	Past    []nodeView // in the order of their first entry
	Others  []string   // names of those that were never entered, in the definition's order
}

// nodeView is a node that a ticket came to. Whatever is not known stays empty.
type nodeView struct {
	ID, Name, Type string
	State          string // one of the words above
	Doing          string // in the process's words, where they tell more: calling, waiting, claiming, assigning
	Round          int    // how often it was entered
	Asked, Pending []string
	Voices         []voicesView // of those who carry more than one
	Anyone         bool         // anybody may act
	Claimed        string
	Actions        []string
	Since          time.Time
	Left, Due      *time.Time
	Votes          []flow.Vote
	Verdict        string   // passed or rejected
	By             []string // whose act or votes led there
	Problem        string   // why it cannot go on by itself
	Arrived        []string // join: the branches that have come
	Awaited        []string // and those that have not
}

// voicesView is how many voices somebody carries.
type voicesView struct {
	Who   string
	Count int
	Later bool // not the first of its list
}

func voicesOf(o flow.Roster) (out []voicesView) {
	for _, who := range o.Asked {
		if n := o.Voices[who]; n > 1 {
			out = append(out, voicesView{who, n, len(out) > 0})
		}
	}
	return out
}

// nodesOf gives the nodes of a ticket's process. A ticket whose process this build does not know has those that it remembers itself.
func nodesOf(t ticket.Ticket) nodesView {
	var out nodesView
	var joins []nodeView
	names := namesOf(t)
	asked := map[string]ticket.Node{}
	for _, n := range t.Nodes() {
		asked[n.Node] = n
	}
	for _, s := range t.Position.Nodes {
		n := nodeOf(s, names(s.Node))
		if a, ok := asked[s.Node]; ok {
			n.Pending, n.Anyone, n.Problem = a.Pending, a.Anyone, a.Problem
			for _, action := range a.Actions {
				n.Actions = append(n.Actions, string(action))
			}
		}
		switch {
		case s.State.Open() && s.Type == flow.Join:
			n.Arrived, n.Awaited = s.Met, awaited(t, s)
			joins = append(joins, n)
		case s.State.Open():
			out.Current = append(out.Current, n)
		default:
			out.Past = append(out.Past, n)
		}
	}
	out.Current = append(out.Current, joins...)
	if process, err := t.Process(); err == nil {
		for _, n := range process.Definition().Nodes {
			// A ticket that is over has come to its end, whichever way: what it did not come to is what was left out.
			if _, entered := t.Position.Find(n.ID); !entered && !(t.Ended() && n.Type == flow.End) {
				out.Others = append(out.Others, n.Name)
			}
		}
	}
	return out
}

// awaited gives the branches that have not come to an open join.
func awaited(t ticket.Ticket, join flow.NodeState) (names []string) {
	process, err := t.Process()
	if err != nil {
		return nil
	}
	for _, n := range process.Definition().Nodes {
		for _, branch := range n.Branches {
			if n.Join == join.Node && !slices.Contains(join.Met, branch.Name) {
				names = append(names, branch.Name)
			}
		}
	}
	return names
}

func nodeOf(s flow.NodeState, name string) nodeView {
	n := nodeView{ID: s.Node, Name: name, Type: string(s.Type), State: nodeCurrent, Round: s.Round, Asked: s.Asked, Voices: voicesOf(s.Roster), Claimed: s.Claimed,
		Since: s.Entered, Left: s.Left, Due: s.Due, Votes: s.Votes, By: s.By, Problem: s.Reason}
	switch s.State {
	case flow.Done:
		n.State = nodeDone
	case flow.Skipped:
		n.State = nodeSkipped
	case flow.Cancelled:
		n.State = nodeCancelled
	case flow.Failed:
		n.State = nodeFailed
	case flow.Active:
	default:
		n.Doing = string(s.State)
	}
	if s.Result != nil && s.Type != flow.Call {
		n.Verdict = "rejected"
		if *s.Result {
			n.Verdict = "passed"
		}
	}
	return n
}

// namesOf tells what the nodes of a ticket's process are called; one that is not known is called by its id.
func namesOf(t ticket.Ticket) func(id string) string {
	names := map[string]string{}
	if process, err := t.Process(); err == nil {
		for _, n := range process.Definition().Nodes {
			names[n.ID] = n.Name
		}
	}
	return func(id string) string {
		return cmp.Or(names[id], id)
	}
}

// waiting tells whom a ticket waits for, and whether anybody may act.
func waiting(t ticket.Ticket) (names []string, anyone bool) {
	return t.WaitingFor(), slices.ContainsFunc(t.Nodes(), func(n ticket.Node) bool { return n.Anyone })
}
