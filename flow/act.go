package flow

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Act is what a person does at a node.
type Act struct {
	Action   Action   `json:"action"`
	Node     string   `json:"node,omitempty"`  // may be left out where only one node takes the action from this person
	Round    int      `json:"round,omitempty"` // of the node, which then has to be named; zero: whichever it is in
	Actor    string   `json:"actor,omitempty"`
	Admin    bool     `json:"admin,omitempty"`     // may reassign, and do for others what is not their own decision
	OnBehalf string   `json:"on_behalf,omitempty"` // approve, reject by an admin: in whose name
	Pass     bool     `json:"pass,omitempty"`      // confirm: yes or no
	Comment  string   `json:"comment,omitempty"`
	Targets  []string `json:"targets,omitempty"` // assign, deliver, add, remove, reassign: whom
	Fields   Values   `json:"fields,omitempty"`  // the node's form, filled in; skip: what a call's answer would have filled in
	Resend   bool     `json:"resend,omitempty"`  // retry: send a request again that has succeeded
	Place    Place    `json:"place,omitempty"`   // add: where in the order; beside unless said
	To       string   `json:"to,omitempty"`      // reject, confirm with a no: the node to go back to, where that may be chosen

	hand string // who does it, where they stand in for the actor
}

func (a Act) apply(r *run) error {
	if !slices.Contains(Actions, a.Action) {
		return refuse(Invalid, "action", "there is no action %q", a.Action)
	}
	n, s, err := r.pick(a)
	if err != nil {
		return err
	}
	if s.Paused != nil {
		return refuse(Conflict, "", "the ticket is suspended")
	}
	if err := r.entitled(n, *s, a); err != nil {
		return err
	}
	if a = r.inPlace(n, *s, a); a.hand != "" {
		r.proxy = Hand{Who: a.hand, For: a.Actor}
		if !slices.Contains(s.Hands, r.proxy) {
			s.Hands = append(s.Hands, r.proxy)
		}
	}
	r.led = &Led{Who: a.voice(), Action: a.Action}
	switch a.Action {
	case Approve, Reject:
		return r.vote(n, s, a)
	case Claim:
		return r.claim(s, a)
	case Assign, Deliver, Add, Reassign:
		return r.hand(n, s, a)
	case Remove:
		return r.remove(n, s, a)
	case Retract:
		return r.retract(n, s, a)
	case Terminate:
		if strings.TrimSpace(a.Comment) == "" {
			return refuse(Invalid, "comment", "is required to terminate a ticket")
		}
		r.put(s, Cancelled)
		r.over(Terminated, s, LogEntry{Who: a.Actor, Note: a.Comment})
		return nil
	case Retry:
		return r.retry(n, s, a)
	case Skip:
		return r.skip(n, s, a)
	}
	return r.complete(n, s, a)
}

// takes lists what can be done at a node in its state, whoever does it.
func (n *node) takes(s NodeState) []Action {
	var out []Action
	switch s.State {
	case Claiming:
		out = append(out, Claim)
	case Assigning:
		out = append(out, Assign)
	case Failed:
		if s.seeking() {
			return []Action{Retry}
		}
		return []Action{Retry, Skip}
	case Active:
		if n.Type == Approval {
			out = append(out, Approve, Reject)
			if n.Add != nil {
				out = append(out, Add)
			}
			if slices.ContainsFunc(s.Added, s.removable()) {
				out = append(out, Remove)
			}
			if n.Retract && len(s.Votes) > 0 {
				out = append(out, Retract)
			}
		} else {
			out = append(out, n.Action)
		}
		if n.Deliver != nil {
			out = append(out, Deliver)
		}
	default:
		return nil
	}
	if n.Terminable {
		out = append(out, Terminate)
	}
	return out
}

// could tells takes apart from what only an admin can do besides.
func (n *node) could(s NodeState, a Act) bool {
	switch {
	case slices.Contains(n.takes(s), a.Action):
		return true
	case !s.State.Open() || n.Type != Task && n.Type != Approval && s.State != Failed:
		return false
	case a.Action == Reassign:
		return true
	}
	return a.Admin && n.Type == Approval && a.Action == Add && !s.seeking() || a.Admin && s.State == Active && a.Action == Deliver
}

// pick finds the node that is meant.
func (r *run) pick(a Act) (*node, *NodeState, error) {
	if a.Round != 0 && a.Node == "" {
		return nil, nil, refuse(Invalid, "round", "is a round of a node, which has to be named")
	}
	if a.Node != "" {
		n := r.p.nodes[a.Node]
		if n == nil {
			return nil, nil, refuse(NotFound, "node", "the process has no node %q", a.Node)
		}
		s, entered := r.pos.Find(n.ID)
		switch {
		case !entered:
			return nil, nil, refuse(Conflict, "node", "the ticket has not come to %q", n.Name)
		case a.Round > s.Round:
			return nil, nil, refuse(Conflict, "round", "%q has not come to round %d: it is in round %d", n.Name, a.Round, s.Round)
		case a.Round > 0 && a.Round < s.Round:
			return nil, nil, n.followed(s, a.Round)
		case !s.State.Open():
			return nil, nil, n.past(s)
		case !n.could(s, a):
			return nil, nil, refuse(Conflict, "action", "%s is not possible at %q", a.Action, n.Name)
		}
		return n, r.touch(n), nil
	}
	var fit, mine []*node
	for _, s := range r.pos.Nodes {
		if n := r.p.nodes[s.Node]; n != nil && s.State.Open() && n.could(s, a) {
			fit = append(fit, n)
			if r.entitled(n, s, a) == nil {
				mine = append(mine, n)
			}
		}
	}
	switch {
	case len(mine) == 1:
		s := r.touch(mine[0])
		return mine[0], s, mine[0].repeated(*s, r.inPlace(mine[0], *s, a))
	case len(mine) > 1:
		return nil, nil, refuse(Conflict, "node", "%s is possible at several nodes; name one of %s", a.Action, names(mine))
	case len(fit) > 0:
		return fit[0], r.touch(fit[0]), nil // whose refusal says who is asked
	}
	return nil, nil, r.nowhere(a)
}

// nowhere says why no open node takes the action: where it was done already, by whom.
func (r *run) nowhere(a Act) error {
	var last *NodeState
	for i, s := range r.pos.Nodes {
		n := r.p.nodes[s.Node]
		voted := n != nil && n.Type == Approval && (a.Action == Approve || a.Action == Reject)
		if s.State == Done && n != nil && (voted || n.Type == Task && n.Action == a.Action) && (last == nil || s.left().After(last.left())) {
			last = &r.pos.Nodes[i]
		}
	}
	if last != nil {
		return r.p.nodes[last.Node].past(*last)
	}
	return refuse(Conflict, "action", "%s is not possible where the ticket stands", a.Action)
}

func (s NodeState) left() time.Time {
	if s.Left == nil {
		return time.Time{}
	}
	return *s.Left
}

// voice is in whose name an act is done.
func (a Act) voice() string { return cmp.Or(a.OnBehalf, a.Actor) }

// repeated refuses an act that names no node and would do a second time what the same person did a moment ago, at a node that only their own act led
// to: a click that came twice was meant once.
func (n *node) repeated(s NodeState, a Act) error {
	if s.Led == nil || s.Led.Action != a.Action || s.Led.Who != a.voice() {
		return nil
	}
	return refuse(Conflict, "node", "%q was come to by the same %s of %s; name it as the node to do that there too", n.Name, a.Action, s.Led.Who)
}

// followed refuses an act that was made for a round that is over, since the ticket has come to the node again.
func (n *node) followed(s NodeState, round int) error {
	if s.Was == nil || round != s.Round-1 {
		return refuse(Conflict, "round", "round %d of %q is over: it is in round %d", round, n.Name, s.Round)
	}
	was := n.past(NodeState{State: s.Was.State, Result: s.Was.Result, By: s.Was.By})
	return refuse(Conflict, "round", "%s in round %d, and the ticket has come to it again: it is in round %d", was.Message, round, s.Round)
}

// past refuses an act at a node that is closed, and says how that came about.
func (n *node) past(s NodeState) *Error {
	did := "done"
	switch {
	case s.State == Done && n.Type == Approval && s.Result != nil && *s.Result:
		did = "approved"
	case s.State == Done && n.Type == Approval:
		did = "rejected"
	case s.State != Done:
		did = string(s.State)
	}
	if len(s.By) > 0 {
		did += " by " + strings.Join(s.By, ", ")
	}
	return refuse(Conflict, "node", "%q is already %s", n.Name, did)
}

// entitled refuses who may not do this. Nobody can do in somebody else's place what is that person's own decision, not even an admin,
// except vote expressly in their name.
func (r *run) entitled(n *node, s NodeState, a Act) error {
	a = r.inPlace(n, s, a)
	switch a.Action {
	case Reassign:
		if !a.Admin {
			return refuse(Forbidden, "operator", "only an admin can reassign")
		}
		return nil
	case Assign, Deliver, Add, Terminate, Retry, Skip:
		if a.Admin {
			return nil
		}
	case Remove:
		return nil // whom, by whom: see remove
	}
	votes := a.Action == Approve || a.Action == Reject || a.Action == Retract
	who := a.Actor
	if a.OnBehalf != "" {
		if !a.Admin || !votes {
			return refuse(Forbidden, "on_behalf", "only an admin can vote in somebody's name")
		}
		who = a.OnBehalf
	}
	if bars := r.bars(n); bars != nil {
		for _, voice := range []string{who, a.Actor, a.hand} {
			if why := bars(voice); why != "" {
				return refuse(Forbidden, "operator", "%s, and may not act at %q", why, n.Name)
			}
		}
	}
	if a.Action == Retract {
		return n.retractable(s, who)
	}
	if did := s.spoke()[cmp.Or(a.hand, a.Actor)]; votes && did != "" && a.OnBehalf == "" {
		return refuse(Conflict, "operator", "%s has acted for %s already", cmp.Or(a.hand, a.Actor), did)
	}
	pending := n.pending(s)
	switch {
	case s.voted(who):
		return refuse(Conflict, "operator", "%s has voted already", who)
	case slices.Contains(pending, who) && who != "":
		return nil
	case s.Anyone && s.Claimed == "" && !(r.weighed() && n.Type == Approval && slices.Contains(s.Asked, who)): // who is asked waits for their turn
		if n.Type == Approval && who == "" {
			return refuse(Invalid, "operator", "is required to vote")
		}
		return nil
	case len(pending) == 0:
		return refuse(Forbidden, "operator", "nobody is asked at %q; an admin has to reassign it", n.Name)
	}
	return refuse(Forbidden, "operator", "%q asks %s", n.Name, strings.Join(pending, ", "))
}

// claim makes the actor the one who holds the task.
func (r *run) claim(s *NodeState, a Act) error {
	if a.Actor == "" {
		return refuse(Invalid, "operator", "is required to claim a task")
	}
	s.State, s.Claimed = Active, a.Actor
	r.say(Claimed, s, LogEntry{Who: a.Actor, Note: a.Comment})
	return nil
}

func names(nodes []*node) string {
	ids := make([]string, len(nodes))
	for i, n := range nodes {
		ids[i] = n.ID
	}
	return strings.Join(ids, ", ")
}
