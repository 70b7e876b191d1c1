package tickets

import (
	"cmp"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"time"

	"signalbox/console/forms"
	"signalbox/console/page"
	"signalbox/desk"
	"signalbox/flow"
	"signalbox/ticket"
)

// nowView is the card that a ticket's page begins with: what is asked of whom, and what the visitor can do about it.
type nowView struct {
	Places []placeView // where the ticket stands, joins left out
	Whole  []formView  // what can be done with the ticket as a whole
	SLA    []slaView
	Bars   []barView // what of that is not possible, and why
	Looks  bool      // the visitor may look and do nothing
	Move   string    // the page that moves it to another version of its service; empty: the visitor may not, or there is none
	// What was sent a moment ago and has no form any more, since the ticket has moved on.
	Gone, Typed string
}

// placeView is a node at which something is asked or waited for.
type placeView struct {
	nodeView
	Standing []flow.Standing
	Overdue  bool
	Mine     bool // the visitor is asked here
	Cause    string
	Next     string // what helps
	Forms    []formView
	Bars     []barView
}

type slaView struct {
	flow.SLAClock
	Late bool
}

// formView is one thing that can be done.
type formView struct {
	ID           string
	Action, Node string
	Round        int
	Admin        bool // it is done by the rights of an admin
	Open         bool // it is the one to be looked at
	Inputs       []forms.Input
	Problem      string
	Anyway       []string // ids of persons that are sent with it, since whoever sends it was warned of them
}

// barView is one thing that cannot be done.
type barView struct {
	Action, Why string
}

// wholes are the actions on a ticket as a whole, in the order in which they are shown.
var wholes = []ticket.Action{ticket.Suspend, ticket.Unsuspend, ticket.Withdraw, ticket.Terminate, ticket.Close, ticket.Reopen}

// now makes the card. sent is what was just sent and refused, nil where nothing was.
func (s *Room) now(v *page.Visit, t ticket.Ticket, sent *refused) (out nowView) {
	moment := v.Site().Now()
	out.Looks = !v.Who.May(page.Act)
	for i, n := range t.Nodes() {
		if n.Type == flow.Join {
			continue
		}
		state, _ := t.Position.Find(n.Node)
		p := placeView{nodeView: nodeOf(state, n.Name), Standing: n.Standing}
		p.Pending, p.Anyone = n.Pending, n.Anyone
		p.Overdue = n.Due != nil && n.Type != flow.Wait && n.Due.Before(moment) && !t.Suspended
		p.Mine = slices.Contains(n.Pending, v.Who.Person)
		p.Cause, p.Next = problemOf(v, t, n, state)
		if !out.Looks {
			p.Forms, p.Bars = s.forms(v, t, n, state, "do-"+strconv.Itoa(i), sent)
		}
		out.Places = append(out.Places, p)
	}
	for _, c := range t.Position.SLA {
		if c.Over == nil && !t.Ended() {
			out.SLA = append(out.SLA, slaView{c, c.Breached != nil || c.Due != nil && c.Due.Before(moment)})
		}
	}
	if !out.Looks {
		for _, action := range wholes {
			switch f, why := s.whole(v, t, action, sent); {
			case f != nil:
				out.Whole = append(out.Whole, *f)
			case why != "" && !(action == ticket.Terminate && out.terminates()):
				out.Bars = append(out.Bars, barView{string(action), why})
			}
		}
	}
	if v.Who.May(page.Admin) && !t.Ended() && (t.Definition != nil || t.Rules < flow.RulesNow) { // what is built in has one version
		out.Move = "/ticket/" + url.PathEscape(t.Number) + "/migrate"
	}
	if sent != nil && !sent.shown {
		out.Gone, out.Typed = forms.Told(v, sent.why), cmp.Or(sent.form.Get("comment"), sent.form.Get("content"), sent.form.Get("virtual_confirm_comment"))
	}
	return out
}

// terminates reports whether the visitor can end the ticket from a node.
func (n nowView) terminates() bool {
	return slices.ContainsFunc(n.forms(), func(f *formView) bool { return f.Action == string(ticket.Terminate) })
}

// forms gives the forms of the nodes.
func (n nowView) forms() (out []*formView) {
	for _, p := range n.Places {
		for i := range p.Forms {
			out = append(out, &p.Forms[i])
		}
	}
	return out
}

// whole gives the form for an action on the ticket as a whole, or why it is not possible; neither where there is nothing to do.
func (s *Room) whole(v *page.Visit, t ticket.Ticket, action ticket.Action, sent *refused) (*formView, string) {
	switch {
	case action == ticket.Reopen && !t.Ended(), action != ticket.Reopen && t.Ended(), action == ticket.Suspend && t.Suspended, action == ticket.Unsuspend && !t.Suspended:
		return nil, ""
	}
	admin, why := s.tried(v, t, ticket.Command{Action: action})
	if why != nil {
		return nil, forms.Told(v, why)
	}
	f := formView{ID: "do-" + string(action), Action: string(action), Admin: admin, Inputs: []forms.Input{forms.Comment(v, false)}}
	f.finish(v, sent)
	return &f, ""
}

// forms gives a form for everything that the visitor can do at a node, and why they cannot do the rest of what can be done there.
func (s *Room) forms(v *page.Visit, t ticket.Ticket, n ticket.Node, state flow.NodeState, prefix string, sent *refused) (out []formView, bars []barView) {
	for _, word := range flow.Actions {
		listed := slices.Contains(n.Actions, word)
		if !listed && word != flow.Reassign && word != flow.Deliver && word != flow.Add { // which an admin can do besides
			continue
		}
		action := ticket.Action(word)
		c := ticket.Command{Action: action, Node: n.Node, Round: n.Round}
		var admin bool
		var why *ticket.Error
		var of []forms.Choice // in whose name, or whom
		switch word {
		case flow.Remove:
			for _, added := range state.Added {
				c.Targets = []string{added.Who}
				if admin, why = s.tried(v, t, c); why == nil {
					of = append(of, forms.Choice{Key: added.Who, Person: true})
				}
			}
			if len(of) > 0 {
				why = nil
			}
		case flow.Approve, flow.Reject:
			admin, why = s.tried(v, t, c)
			if own := why == nil; v.Who.May(page.Admin) {
				if own {
					of = append(of, forms.Choice{Key: "", Name: v.T("act.as_myself")})
				}
				for _, who := range n.Pending[:min(len(n.Pending), shownVoters)] {
					if c.OnBehalf = who; who == v.Who.Person {
						continue
					}
					if as, not := s.tried(v, t, c); not == nil {
						of = append(of, forms.Choice{Key: who, Person: true})
						admin, why = as || admin && own, nil
					}
				}
			}
		case flow.Terminate:
			if _, not := s.tried(v, t, ticket.Command{Action: ticket.Terminate}); not == nil {
				continue // it comes to the same as that of the whole ticket
			}
			admin, why = s.tried(v, t, c)
		default:
			admin, why = s.tried(v, t, c)
		}
		switch {
		case why == nil:
			f := formView{ID: prefix + "-" + string(word), Action: string(word), Node: n.Node, Round: n.Round, Admin: admin,
				Inputs: forms.Act{Ticket: t, Node: n, Action: word, By: v.Who.Person, Of: of, Types: s.types(t)}.Inputs(v)}
			f.Open = len(out) == 0 && (n.Anyone || slices.Contains(n.Pending, v.Who.Person) || n.Problem != "")
			f.finish(v, sent)
			out = append(out, f)
		case word == flow.Terminate: // why not is said of the whole ticket
		case listed || word == flow.Reassign && n.Problem != "":
			bars = append(bars, barView{string(word), forms.Told(v, why)})
		}
	}
	return out, bars
}

// shownVoters is in how many people's names an admin is offered to vote.
const shownVoters = 50

// finish numbers the fields of a form, and shows what was sent by it and why it was refused.
func (f *formView) finish(v *page.Visit, sent *refused) {
	forms.Numbered(f.ID, f.Inputs)
	if sent == nil || sent.shown || sent.form.Get("action") != f.Action || sent.form.Get("node") != f.Node || f.Round > 0 && sent.form.Get("round") != strconv.Itoa(f.Round) {
		return
	}
	sent.shown, f.Open = true, true
	f.Anyway = slices.Concat(sent.form.Values[anyway], sent.anyway)
	for i := range f.Inputs {
		f.Inputs[i].Refill(sent.form.Values)
	}
	f.Problem = forms.Blame(v, f.Inputs, sent.why)
}

// types are the words taken for a solution's type; none: any.
func (s *Room) types(t ticket.Ticket) []string {
	if len(t.Types) > 0 {
		return t.Types
	}
	return s.Types
}

// tried asks the rule book whether the visitor can do something to a ticket as it was read, and tells why they cannot; nil: they can. What a form has yet to say is
// no reason. Who acts as themselves and may do it only as an admin does it as that.
func (s *Room) tried(v *page.Visit, t ticket.Ticket, c ticket.Command) (admin bool, why *ticket.Error) {
	c.Operator, c.Channel, c.App = v.Who.Person, ticket.ChannelPages, v.Who.App.Code
	c.Admin, c.Personal = v.Who.App.May(desk.Admin), v.Who.Own
	if why = s.trial(t, c, v.Site().Now()); why == nil || !c.Personal || !c.Admin {
		return false, why
	}
	c.Personal = false
	if s.trial(t, c, v.Site().Now()) == nil {
		return true, nil
	}
	return false, why
}

// trial decides a command that is nobody's yet, with something in the place of what a form will say.
func (s *Room) trial(t ticket.Ticket, c ticket.Command, at time.Time) *ticket.Error {
	switch c.Action {
	case ticket.CommitSolution:
		c.Solution = &ticket.Solution{}
		if types := s.types(t); len(types) > 0 {
			c.Solution.Type = types[0]
		}
	case ticket.Confirm:
		c.Verdict = &ticket.Verdict{Passed: true}
	case ticket.Terminate, ticket.Deliver:
		c.Note = "x"
	}
	if t.Ended() { // as the desk has it: what is still allowed begins the next generation
		t.Generation++
	}
	_, err := ticket.DecideChecked(t, c, at)
	var need *flow.Need
	why := ticket.AsError(err)
	switch {
	case err == nil, errors.As(err, &need):
		return nil
	case why == nil:
		return ticket.Refuse(ticket.Unavailable, "the process of the ticket is not known here")
	case why.Code == ticket.Invalid, why.Field == "resend":
		return nil
	}
	return why
}

// problemOf tells why a node cannot go on by itself, and what helps; empty: it can.
func problemOf(v *page.Visit, t ticket.Ticket, n ticket.Node, s flow.NodeState) (cause, next string) {
	why := n.Stuck
	if why == nil || t.Suspended {
		return "", ""
	}
	switch why.Cause {
	case flow.CauseFailed:
		if n.Type == flow.Branch {
			return v.T("problem_of.branch", "Reason", v.Why(why.Reason)), v.T("problem_of.branch_next")
		}
		if next = v.T("problem_of.call_next"); why.Nobody {
			next = v.T("problem_of.call_next_admin")
		}
		if s.Status > 0 {
			return v.T("problem_of.call_status", "Status", s.Status, "Reason", v.Why(why.Reason)), next
		}
		return v.T("problem_of.call", "Reason", v.Why(why.Reason)), next
	case flow.CauseUnknown:
		return v.T("problem_of.people", "Reason", v.Why(why.Reason)), v.T("problem_of.people_next")
	case flow.CauseTooFew:
		return v.T("problem_of.too_few", "Needed", why.Needed, "Voices", why.Voices), v.T("problem_of.too_few_next")
	}
	if why.Reason != "" {
		return v.T("problem_of.nobody_for", "Reason", v.Why(why.Reason)), v.T("problem_of.nobody_next")
	}
	return v.T("problem_of.nobody"), v.T("problem_of.nobody_next")
}
