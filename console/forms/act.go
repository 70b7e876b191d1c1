package forms

import (
	"cmp"
	"slices"

	"signalbox/console/page"
	"signalbox/flow"
	"signalbox/ticket"
)

// Comment is the field for a reason or remark.
func Comment(v *page.Visit, required bool) Input {
	return Input{Name: "comment", Label: v.T("act.comment"), Kind: Text, Required: required, Max: ticket.MaxReason}
}

// Act is something that may be done at a node of a ticket.
type Act struct {
	Ticket ticket.Ticket
	Node   ticket.Node
	Action flow.Action
	By     string   // who would do it
	Of     []Choice // in whose names they can vote, or whom they can remove
	Types  []string // the words taken for the type of a solution; none: any
}

// Inputs gives the fields of its form.
func (a Act) Inputs(v *page.Visit) (out []Input) {
	t, n, of := a.Ticket, a.Node, a.Of
	form := func() {
		for _, f := range n.Fields {
			out = append(out, InputOf(v, f))
		}
	}
	targets := func() {
		out = append(out, Input{Name: "targets", Label: v.T("act.targets"), Kind: Line, Persons: true, Several: true, Required: true, Hint: v.T("form.persons")})
	}
	back := func() {
		if len(n.Back) == 0 {
			return
		}
		to := Input{Name: "to", Label: v.T("act.to"), Kind: Select}
		for _, node := range n.Back {
			to.Choices = append(to.Choices, Choice{Key: node, Name: NameOf(t, node), Theirs: true})
		}
		out = append(out, to)
	}
	behalf := func() {
		if len(of) > 1 || len(of) == 1 && of[0].Key != "" {
			out = append(out, Input{Name: "on_behalf", Label: v.T("act.on_behalf"), Kind: Select, Required: of[0].Key != "", Choices: of})
		}
	}
	last := Comment(v, a.Action == flow.Terminate || a.Action == flow.Deliver)
	switch a.Action {
	case flow.CommitSolution:
		out = solution(v, a.Types)
		form()
	case flow.Confirm:
		out = append(out, Input{Name: "virtual_confirm_result", Label: v.T("act.verdict"), Kind: Select, Required: true,
			Choices: []Choice{{Key: "true", Name: v.T("act.verdict_yes")}, {Key: "false", Name: v.T("act.verdict_no")}}})
		form()
		back()
		last.Name, last.Required, last.Max = "virtual_confirm_comment", true, ticket.MaxComment
	case flow.Approve:
		form()
		behalf()
	case flow.Reject:
		for _, f := range n.Fields { // who says no need not fill in the form
			f.Required, f.Default = false, nil
			out = append(out, InputOf(v, f))
		}
		back()
		behalf()
	case flow.Accept, flow.Submit, flow.Skip:
		form()
	case flow.Assign, flow.Deliver, flow.Reassign:
		targets()
	case flow.Add:
		targets()
		place := Input{Name: "place", Label: v.T("act.place"), Kind: Select}
		for _, p := range flow.Places {
			if p == flow.Beside || slices.Contains(n.Pending, a.By) {
				place.Choices = append(place.Choices, Choice{Key: string(p), Name: v.Word("place", p)})
			}
		}
		if place.Value = string(flow.Beside); len(place.Choices) > 1 {
			out = append(out, place)
		}
	case flow.Remove:
		out = append(out, Input{Name: "targets", Label: v.T("act.removed"), Kind: Checks, Choices: of})
	case flow.Retry:
		if state, _ := t.Position.Find(n.Node); state.Kept != nil {
			out = append(out, Input{Name: "resend", Label: v.T("act.resend"), Kind: Tick})
		}
	}
	return append(out, last)
}

// solution gives the fields of a solution.
func solution(v *page.Visit, types []string) []Input {
	kind := Input{Name: "mtm_type", Label: v.T("solution.type"), Kind: Line, Required: true, Max: ticket.MaxName}
	for _, word := range types {
		kind.Kind = Select
		kind.Choices = append(kind.Choices, Choice{Key: word, Name: word, Theirs: true})
	}
	yes := []Choice{{Key: "true", Name: v.T("form.yes")}, {Key: "false", Name: v.T("form.no")}}
	zone := v.T("form.zone", "Zone", v.Zone().String())
	return []Input{kind,
		{Name: "is_service_interrupt", Label: v.T("solution.interrupted"), Kind: Select, Required: true, Choices: yes},
		{Name: "start_time", Label: v.T("solution.began"), Kind: Moment, Hint: zone},
		{Name: "fault_recovery_time", Label: v.T("solution.recovered"), Kind: Moment, Hint: zone},
		{Name: "cause", Label: v.T("solution.cause"), Kind: Text, Required: true, Max: ticket.MaxCause},
		{Name: "solution", Label: v.T("solution.text"), Kind: Text, Required: true, Max: ticket.MaxCause},
	}
}

// NameOf tells what a node of a ticket's process is called; one that is not known is called by its id.
func NameOf(t ticket.Ticket, id string) string {
	if process, err := t.Process(); err == nil {
		for _, n := range process.Definition().Nodes {
			if n.ID == id {
				return cmp.Or(n.Name, id)
			}
		}
	}
	return id
}

// Told gives a refusal to somebody who did not fill in the field that it names: who they are, and where they act, is the page's to say.
func Told(v *page.Visit, e *ticket.Error) string {
	if slices.Contains([]string{"operator", "node", "round", "action"}, e.Field) {
		e = Alone(e)
	}
	return v.Explain(e)
}

// Fill reads what the form of an act says beside a comment into the command of that action at that node, of that person.
func Fill(v *page.Visit, sent page.Form, t ticket.Ticket, c *ticket.Command) error {
	for _, n := range t.Nodes() {
		if n.Node == c.Node && n.Round == c.Round {
			c.Fields = Filled(v, sent, n.Fields)
		}
	}
	switch c.Action {
	case ticket.Assign, ticket.Deliver, ticket.Add, ticket.Remove, ticket.Reassign:
		c.Targets, c.Fields = sent.List("targets"), nil
		if c.Action == ticket.Add {
			c.Place = flow.Place(sent.Get("place"))
		}
	case ticket.Approve, ticket.Reject:
		c.OnBehalf = sent.Get("on_behalf")
	case ticket.Retry:
		c.Resend, c.Fields = sent.On("resend"), nil
	case ticket.CommitSolution, ticket.Confirm:
		p, err := parameter(v, sent)
		if err != nil {
			return err
		}
		if c.Note = ""; c.Action == ticket.CommitSolution {
			c.Note = Lines(sent.Text("comment"))
		}
		if err := p.Fill(c); err != nil {
			return err
		}
	case ticket.Claim, ticket.Retract, ticket.Terminate:
		c.Fields = nil
	}
	if c.Action == ticket.Reject || c.Action == ticket.Confirm && c.Verdict != nil && !c.Verdict.Passed {
		c.To = sent.Get("to")
	}
	if c.OnBehalf == c.Operator {
		c.OnBehalf = ""
	}
	return nil
}

// parameter reads a solution, or a verdict, from a form, as seed 001 has them.
func parameter(v *page.Visit, sent page.Form) (p ticket.Parameter, err error) {
	var f ticket.Faults
	p.Read(func(name string, into any) {
		text := Lines(sent.Text(name))
		switch into := into.(type) {
		case **string:
			*into = &text
		case **ticket.Flag:
			if text == "true" || text == "false" {
				flag := ticket.Flag(text == "true")
				*into = &flag
			}
		case **ticket.Millis:
			ms, ok := millisOf(v, sent, name)
			if !ok {
				f.Add(name, "must be a date with its time")
			}
			*into = (*ticket.Millis)(ms)
		}
	})
	return p, f.Err()
}
