package tickets

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"time"

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
	Inputs       []inputView
	Problem      string
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
			case why != "":
				out.Bars = append(out.Bars, barView{string(action), why})
			}
		}
	}
	if sent != nil && !sent.shown {
		out.Gone, out.Typed = told(v, sent.why), cmp.Or(sent.form.Get("comment"), sent.form.Get("content"), sent.form.Get("virtual_confirm_comment"))
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
		return nil, told(v, why)
	}
	f := formView{ID: "do-" + string(action), Action: string(action), Admin: admin, Inputs: []inputView{comment(v, false)}}
	f.finish(v, sent)
	return &f, ""
}

// forms gives a form for everything that the visitor can do at a node, and why they cannot do the rest of what can be done there.
func (s *Room) forms(v *page.Visit, t ticket.Ticket, n ticket.Node, state flow.NodeState, prefix string, sent *refused) (forms []formView, bars []barView) {
	for _, word := range flow.Actions {
		listed := slices.Contains(n.Actions, word)
		if !listed && word != flow.Reassign && word != flow.Deliver && word != flow.Add { // which an admin can do besides
			continue
		}
		action := ticket.Action(word)
		c := ticket.Command{Action: action, Node: n.Node, Round: n.Round}
		var admin bool
		var why *ticket.Error
		var of []choiceView // in whose name, or whom
		switch word {
		case flow.Remove:
			for _, added := range state.Added {
				c.Targets = []string{added.Who}
				if admin, why = s.tried(v, t, c); why == nil {
					of = append(of, choiceView{Key: added.Who, Name: added.Who})
				}
			}
			if len(of) > 0 {
				why = nil
			}
		case flow.Approve, flow.Reject:
			admin, why = s.tried(v, t, c)
			if own := why == nil; v.Who.May(page.Admin) {
				if own {
					of = append(of, choiceView{Key: "", Name: v.T("act.as_myself")})
				}
				for _, who := range n.Pending[:min(len(n.Pending), shownVoters)] {
					if c.OnBehalf = who; who == v.Who.Person {
						continue
					}
					if as, not := s.tried(v, t, c); not == nil {
						of = append(of, choiceView{Key: who, Name: who})
						admin, why = as || admin && own, nil
					}
				}
			}
		default:
			admin, why = s.tried(v, t, c)
		}
		switch {
		case why == nil:
			f := formView{ID: prefix + "-" + string(word), Action: string(word), Node: n.Node, Round: n.Round, Admin: admin, Inputs: s.inputs(v, t, n, word, of)}
			f.Open = len(forms) == 0 && (n.Anyone || slices.Contains(n.Pending, v.Who.Person) || n.Problem != "")
			f.finish(v, sent)
			forms = append(forms, f)
		case listed || word == flow.Reassign && n.Problem != "":
			bars = append(bars, barView{string(word), told(v, why)})
		}
	}
	return forms, bars
}

// shownVoters is in how many people's names an admin is offered to vote.
const shownVoters = 50

// finish numbers the fields of a form, and shows what was sent by it and why it was refused.
func (f *formView) finish(v *page.Visit, sent *refused) {
	number(f.ID, f.Inputs)
	if sent == nil || sent.shown || sent.form.Get("action") != f.Action || sent.form.Get("node") != f.Node || f.Round > 0 && sent.form.Get("round") != strconv.Itoa(f.Round) {
		return
	}
	sent.shown, f.Open = true, true
	for i := range f.Inputs {
		f.Inputs[i].refill(sent.form.Values)
	}
	if !blame(f.Inputs, sent.why.Field, v.Refusal(alone(sent.why))) {
		f.Problem = told(v, sent.why)
	}
}

// comment is the field for a reason or remark.
func comment(v *page.Visit, required bool) inputView {
	return inputView{Name: "comment", Label: v.T("act.comment"), Kind: kindText, Required: required, Max: ticket.MaxReason}
}

// inputs gives the fields of the form for an action at a node. of are in whose names one can vote, or whom one can remove.
func (s *Room) inputs(v *page.Visit, t ticket.Ticket, n ticket.Node, action flow.Action, of []choiceView) (out []inputView) {
	form := func() {
		for _, f := range n.Fields {
			out = append(out, inputOf(v, f))
		}
	}
	targets := func() {
		out = append(out, inputView{Name: "targets", Label: v.T("act.targets"), Kind: kindLine, Required: true, Hint: v.T("form.persons")})
	}
	back := func() {
		if len(n.Back) == 0 {
			return
		}
		names, to := namesOf(t), inputView{Name: "to", Label: v.T("act.to"), Kind: kindSelect}
		for _, node := range n.Back {
			to.Choices = append(to.Choices, choiceView{Key: node, Name: names(node)})
		}
		out = append(out, to)
	}
	behalf := func() {
		if len(of) > 1 || len(of) == 1 && of[0].Key != "" {
			out = append(out, inputView{Name: "on_behalf", Label: v.T("act.on_behalf"), Kind: kindSelect, Required: of[0].Key != "", Choices: of})
		}
	}
	last := comment(v, action == flow.Terminate || action == flow.Deliver)
	switch action {
	case flow.CommitSolution:
		out = s.solution(v, t)
		form()
	case flow.Confirm:
		out = append(out, inputView{Name: "virtual_confirm_result", Label: v.T("act.verdict"), Kind: kindSelect, Required: true,
			Choices: []choiceView{{Key: "true", Name: v.T("act.verdict_yes")}, {Key: "false", Name: v.T("act.verdict_no")}}})
		form()
		back()
		last.Name, last.Required, last.Max = "virtual_confirm_comment", true, ticket.MaxComment
	case flow.Approve:
		form()
		behalf()
	case flow.Reject:
		for _, f := range n.Fields { // who says no need not fill in the form
			f.Required, f.Default = false, nil
			out = append(out, inputOf(v, f))
		}
		back()
		behalf()
	case flow.Accept, flow.Submit, flow.Skip:
		form()
	case flow.Assign, flow.Deliver, flow.Reassign:
		targets()
	case flow.Add:
		targets()
		place := inputView{Name: "place", Label: v.T("act.place"), Kind: kindSelect}
		for _, p := range flow.Places {
			if p == flow.Beside || slices.Contains(n.Pending, v.Who.Person) {
				place.Choices = append(place.Choices, choiceView{Key: string(p), Name: v.Word("place", p)})
			}
		}
		if place.Value = string(flow.Beside); len(place.Choices) > 1 {
			out = append(out, place)
		}
	case flow.Remove:
		out = append(out, inputView{Name: "targets", Label: v.T("act.removed"), Kind: kindChecks, Choices: of})
	case flow.Retry:
		if state, _ := t.Position.Find(n.Node); state.Kept != nil {
			out = append(out, inputView{Name: "resend", Label: v.T("act.resend"), Kind: kindTick})
		}
	}
	return append(out, last)
}

// solution gives the fields of a solution.
func (s *Room) solution(v *page.Visit, t ticket.Ticket) []inputView {
	kind := inputView{Name: "mtm_type", Label: v.T("solution.type"), Kind: kindLine, Required: true, Max: ticket.MaxName}
	for _, word := range s.types(t) {
		kind.Kind = kindSelect
		kind.Choices = append(kind.Choices, choiceView{Key: word, Name: word})
	}
	yes := []choiceView{{Key: "true", Name: v.T("form.yes")}, {Key: "false", Name: v.T("form.no")}}
	zone := v.T("form.zone", "Zone", v.Zone().String())
	return []inputView{kind,
		{Name: "is_service_interrupt", Label: v.T("solution.interrupted"), Kind: kindSelect, Required: true, Choices: yes},
		{Name: "start_time", Label: v.T("solution.began"), Kind: kindMoment, Hint: zone},
		{Name: "fault_recovery_time", Label: v.T("solution.recovered"), Kind: kindMoment, Hint: zone},
		{Name: "cause", Label: v.T("solution.cause"), Kind: kindText, Required: true, Max: ticket.MaxCause},
		{Name: "solution", Label: v.T("solution.text"), Kind: kindText, Required: true, Max: ticket.MaxCause},
	}
}

// types are the words taken for a solution's type; none: any.
func (s *Room) types(t ticket.Ticket) []string {
	if len(t.Types) > 0 {
		return t.Types
	}
	return s.Types
}

// told gives a refusal to somebody who did not fill in the field that it names: who they are, and where they act, is the page's to say.
func told(v *page.Visit, e *ticket.Error) string {
	if slices.Contains([]string{"operator", "node", "round", "action"}, e.Field) {
		e = alone(e)
	}
	return v.Refusal(e)
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
	nobody := !n.Anyone && len(n.Pending) == 0
	switch {
	case n.Problem == "" || t.Suspended:
		return "", ""
	case s.State == flow.Failed && n.Type == flow.Call:
		if next = v.T("problem_of.call_next"); nobody {
			next = v.T("problem_of.call_next_admin")
		}
		if s.Status > 0 {
			return v.T("problem_of.call_status", "Status", s.Status, "Reason", s.Reason), next
		}
		return v.T("problem_of.call", "Reason", s.Reason), next
	case s.State == flow.Failed && n.Type == flow.Branch:
		return v.T("problem_of.branch", "Reason", s.Reason), v.T("problem_of.branch_next")
	case s.State == flow.Failed:
		return v.T("problem_of.people", "Reason", s.Reason), v.T("problem_of.people_next")
	case nobody && s.Reason != "":
		return v.T("problem_of.nobody_for", "Reason", s.Reason), v.T("problem_of.nobody_next")
	case nobody && len(s.Votes) == 0:
		return v.T("problem_of.nobody"), v.T("problem_of.nobody_next")
	}
	return v.T("problem_of.too_few", "Problem", n.Problem), v.T("problem_of.too_few_next")
}
