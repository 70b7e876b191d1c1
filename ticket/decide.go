package ticket

import (
	"cmp"
	"fmt"
	"slices"
	"time"
	"unicode"

	"signalbox/flow"
)

// Command is what somebody wants to happen to a ticket.
type Command struct {
	Action    Action     `json:"action,omitempty"`   // never empty but where an update of Temporal is called like it
	Operator  string     `json:"operator,omitempty"` // the person acting; may be empty where a family names none
	Channel   Channel    `json:"door"`
	App       string     `json:"app,omitempty"`
	Admin     bool       `json:"admin,omitempty"`     // the app may act for anybody
	Personal  bool       `json:"personal,omitempty"`  // the operator must be entitled in person, whatever the app may (itsm family)
	Operation string     `json:"operation,omitempty"` // the request, written into the events it causes
	Hops      int        `json:"hops,omitempty"`      // of that request: see Event
	Node      string     `json:"node,omitempty"`      // where in the process; empty: the node that takes the action
	Round     int        `json:"round,omitempty"`     // of that node, where it was made for one
	Note      string     `json:"note,omitempty"`      // a reason or remark
	Solution  *Solution  `json:"solution,omitempty"`
	Types     []string   `json:"mtm_types,omitempty"` // the words taken for the solution's type on a ticket that has none of its own
	Verdict   *Verdict   `json:"verdict,omitempty"`
	Relation  *Relation  `json:"relation,omitempty"`
	Message   *Message   `json:"message,omitempty"`
	Statement *Statement `json:"statement,omitempty"`

	Targets  []string     `json:"targets,omitempty"`   // assign, deliver, add, remove, reassign: whom
	OnBehalf string       `json:"on_behalf,omitempty"` // approve, reject by an admin: in whose name
	Fields   flow.Values  `json:"fields,omitempty"`    // the node's form, filled in
	Fired    *flow.Fired  `json:"fired,omitempty"`
	Resend   bool         `json:"resend,omitempty"` // retry: send a request again that has succeeded
	Place    flow.Place   `json:"place,omitempty"`  // add: before, beside (unless said) or after whoever adds
	To       string       `json:"to,omitempty"`     // reject, confirm with a no: the node to go back to, where that may be chosen
	Called   *flow.Called `json:"called,omitempty"`

	Presence *flow.Presence `json:"presence,omitempty"` // attend: what the directory says

	Migration *Migration `json:"migration,omitempty"`

	Facts *flow.Facts `json:"facts,omitempty"` // about people, as far as the process needed them
}

// Informed gives the command with more facts.
func (c Command) Informed(more flow.Facts) Command {
	if c.Facts != nil {
		more = c.Facts.With(more)
	}
	c.Facts = &more
	return c
}

// Check tells everything that is wrong with the command itself, whatever state the ticket is in.
func (c Command) Check() error {
	var f Faults
	f.Name("operator", c.Operator, 0, MaxName)
	f.Name("node", c.Node, 0, MaxName)
	switch {
	case c.Round < 0:
		f.Add("round", "must be at least 1")
	case c.Round > 0 && c.Node == "":
		f.Add("round", "is a round of a node, which has to be named")
	}
	f.Text("reason", c.Note, 0, MaxReason)
	switch c.Action {
	case CommitSolution:
		s := c.Solution
		if s == nil {
			s = &Solution{}
		}
		f.Name("mtm_type", s.Type, 1, MaxName)
		f.Text("cause", s.Cause, 1, MaxCause)
		f.Text("solution", s.Text, 1, MaxCause)
		f.millis("start_time", s.StartedAt)
		f.millis("fault_recovery_time", s.RecoveredAt)
	case Confirm:
		if c.Verdict == nil {
			f.Add("virtual_confirm_result", "is required")
		} else {
			f.Text("virtual_confirm_comment", c.Verdict.Comment, 1, MaxComment)
		}
	case Relate:
		if c.Relation == nil {
			f.Add("content", "is required")
		} else {
			f.Word("type", c.Relation.Type, MaxRelationType)
			f.items("content", c.Relation.Content)
		}
	case Say, Revise:
		m := c.Message
		if m == nil {
			m = &Message{}
		}
		f.Word("id", m.ID, MaxRelationType)
		f.Name("author", m.Author, 1, MaxName)
		f.Text("content", m.Content, 1, MaxMessage)
	case Report:
		f.statement(c.Statement)
	case Migrate:
		f.migration(c.Migration)
	case Fire:
		if c.Fired == nil {
			f.Add("fired", "is required")
		}
	case Answer:
		if c.Called == nil {
			f.Add("called", "is required")
		}
	case Attend:
		if c.Presence == nil {
			f.Add("presence", "is required")
		}
	case Accept, Submit, Approve, Reject, Add, Remove, Retract, Claim, Assign, Deliver, Reassign, Retry, Skip, Suspend, Unsuspend, Withdraw, Terminate,
		Close, Reopen:
	default:
		f.Add("action", fmt.Sprintf("there is no action %q", c.Action))
	}
	if len(c.Targets) > flow.MaxPersons {
		f.Add("targets", Over(flow.MaxPersons, "items", len(c.Targets)))
	} else {
		for i, target := range c.Targets {
			f.Name(fmt.Sprintf("targets[%d]", i), target, 1, MaxName)
		}
	}
	if c.Place != "" && !slices.Contains(flow.Places, c.Place) {
		f.Add("place", fmt.Sprintf("must be one of before, beside, after, not %q", c.Place))
	}
	f.Name("to", c.To, 0, MaxName)
	f.Name("on_behalf", c.OnBehalf, 0, MaxName)
	f.fields(c.Fields)
	return f.Err()
}

// Decide checks a command and tells what it does to the ticket at that moment: see DecideChecked. The error can also be a *flow.Need: then it has to be decided again
// with those facts.
func Decide(t Ticket, c Command, at time.Time) ([]Event, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	return DecideChecked(t, c, at)
}

// DecideNew is Decide for a command that somebody asks for now, and that was taken nowhere yet: it refuses as well what flow.Process.OutOfRange does.
func DecideNew(t Ticket, c Command, at time.Time) ([]Event, error) {
	events, err := Decide(t, c, at)
	if err != nil || len(c.Fields) == 0 {
		return events, err
	}
	process, err := t.Process()
	if err == nil {
		err = process.OutOfRange(c.Fields)
	}
	if err != nil {
		return nil, err
	}
	return events, nil
}

// DecideChecked tells what a command that Check has passed does to the ticket at that moment, or refuses with an *Error. It changes nothing.
// No events and no error mean that everything already is as the command wants it.
func DecideChecked(t Ticket, c Command, at time.Time) ([]Event, error) {
	if c.Facts != nil {
		t.facts = *c.Facts
	}
	t, lapsed, err := t.lapsed(c, at)
	if err != nil {
		return nil, err
	}
	e, err := t.decide(c, t.clock(at))
	if err != nil || e == nil {
		return nil, err
	}
	return append(lapsed, t.next(*e, c, at)), nil
}

// Refused is the timeline entry for a command that nobody waits for and the rules do not allow. Nothing in such a command has been
// checked, so its texts are made fit to be kept.
func Refused(t Ticket, c Command, why error, at time.Time) Event {
	note := fmt.Sprintf("%s: %s", c.Action, why)
	return t.next(Event{Type: RefusedCmd}, Command{Operator: tame(c.Operator, MaxName), Channel: c.Channel, App: c.App, Operation: c.Operation,
		Note: tame(note, MaxReason)}, at)
}

// Recover gives the ticket as a workflow that is begun anew takes it over, and the event that says so; why is for people. It is for a ticket whose
// workflow lost what the database has, or is lost: the rules are not asked, and nothing but the generation changes.
func Recover(t Ticket, generation int, operation, why string, at time.Time) (Ticket, Event) {
	t.Generation = generation
	return t, t.next(Event{Type: Recovered}, Command{Channel: ChannelSystem, App: string(ChannelSystem), Operation: operation, Note: tame(why, MaxReason), Hops: t.Hops}, at)
}

// next completes an event with all that does not depend on the rule.
func (t Ticket) next(e Event, c Command, at time.Time) Event {
	e.Seq, e.Generation, e.At = t.Seq+1, t.Generation, t.clock(at)
	e.Actor, e.Channel, e.App, e.Operation = cmp.Or(c.Operator, c.App), c.Channel, c.App, c.Operation
	if e.Hops = c.Hops; c.Action.follows() { // because of what came before
		e.Hops = t.Hops
	}
	e.Note = cmp.Or(e.Note, c.Note)
	return e
}

// clock is the time of an event that is decided now. Clocks differ between machines; a timeline never runs backwards.
func (t Ticket) clock(at time.Time) time.Time {
	if at = stamp(at); at.Before(t.UpdatedAt) {
		return t.UpdatedAt
	}
	return at
}

func (t Ticket) decide(c Command, at time.Time) (*Event, error) {
	if err := t.signed(c); err != nil {
		return nil, err
	}
	if err := t.typed(c); err != nil {
		return nil, err
	}
	if err := t.placed(c); err != nil {
		return nil, err
	}
	if err := t.beside(c); err != nil {
		return nil, err
	}
	switch c.Action {
	case Close:
		if t.Ended() {
			return nil, nil
		}
		return t.end(c, Completed, Closed, at)
	case Terminate:
		if c.Node != "" {
			return t.move(c, at)
		}
		if err := t.personally(c); err != nil {
			return nil, err
		}
		return t.end(c, Terminated, Stopped, at)
	case Withdraw:
		// Where nobody is named as the opener, whoever an app vouches for may withdraw it; for who acts on the pages no app does.
		if c.Operator != t.Opener && !c.may() && (t.Opener != "" || c.Channel == ChannelPages) {
			return nil, RefuseField(Forbidden, "operator", "only the opener can withdraw a ticket")
		}
		return t.end(c, Revoked, Withdrawn, at)
	case Reopen:
		return t.reopen(c, at)
	case Suspend, Unsuspend:
		return t.suspend(c, at)
	case Relate:
		return t.relate(*c.Relation)
	case Say, Revise:
		return t.say(c)
	case Report:
		return t.report(c, at)
	case Migrate:
		return t.migrate(c, at)
	}
	return t.move(c, at)
}

func (t Ticket) end(c Command, to Status, says Type, at time.Time) (*Event, error) {
	if t.Ended() {
		return nil, t.over()
	}
	e := t.changed(says, to)
	e.Before.Reason, e.After.Reason = &t.Reason, &c.Note
	if t.Suspended {
		e.Before.Suspended, e.After.Suspended = flag(true), flag(false)
	}
	t.stop(e, at)
	t.judge(e, false, fmt.Sprintf("the ticket was %s before its process came to its end", says))
	return e, nil
}

func (t Ticket) reopen(c Command, at time.Time) (*Event, error) {
	switch {
	case !t.Ended():
		return nil, nil
	case t.Status != Completed:
		return nil, Refuse(Conflict, fmt.Sprintf("a %s ticket cannot be reopened", t.Status))
	}
	rules := t.latest()
	e, err := t.step(flow.Start{}, Reopened, at)
	if err != nil {
		return nil, err
	}
	e.After.Rules = rules
	if e.After.Status == "" {
		e.Before.Status, e.After.Status = t.Status, Triggered
	}
	e.Before.Reason, e.After.Reason = &t.Reason, &c.Note
	return e, nil
}

func (t Ticket) suspend(c Command, at time.Time) (*Event, error) {
	want, says, in := c.Action == Suspend, Resumed, flow.Input(flow.Resume{})
	if want {
		says, in = Suspended, flow.Suspend{}
	}
	switch {
	case t.Ended():
		return nil, t.over()
	case t.Suspended == want && want:
		return nil, Refuse(Conflict, "the ticket is suspended already")
	case t.Suspended == want:
		return nil, Refuse(Conflict, "the ticket is not suspended")
	}
	if err := t.personally(c); err != nil {
		return nil, err
	}
	e, err := t.step(in, says, at)
	if err != nil {
		return nil, err
	}
	if e == nil {
		e = &Event{Type: says}
	}
	e.Before.Suspended, e.After.Suspended = flag(!want), flag(want)
	e.Before.Reason, e.After.Reason = &t.Reason, &c.Note
	return e, nil
}

func (t Ticket) relate(r Relation) (*Event, error) {
	if t.Ended() {
		return nil, t.over()
	}
	r.Content = distinct(r.Content)
	i, head := t.relation(r.Type)
	switch {
	case i >= 0 && head == r.Summary():
		return nil, nil
	case t.related()-head.Count+len(r.Content) > MaxRelated:
		return nil, RefuseField(Invalid, "content", "with those that the ticket has, it "+Over(MaxRelated, "items in all", t.related()-head.Count+len(r.Content)))
	case i < 0 && len(t.Relations) >= MaxRelations:
		return nil, RefuseField(Invalid, "type", "the ticket "+Over(MaxRelations, "types of relations", len(t.Relations)+1))
	}
	e := &Event{Type: Related, After: Change{Relation: &r}}
	if i >= 0 {
		e.Before.Relation = &Relation{Type: r.Type}
	}
	_, err := e.fits("content")
	return e, err
}

func (t Ticket) say(c Command) (*Event, error) {
	m := *c.Message
	i, head := t.message(m.ID)
	if c.Action == Say {
		switch {
		case i >= 0:
			return nil, RefuseField(Conflict, "id", "there is a message with this id")
		case len(t.Messages) >= MaxMessages:
			return nil, Refuse(Conflict, "a ticket "+Over(MaxMessages, "messages", len(t.Messages)+1))
		}
		return &Event{Type: Said, After: Change{Message: &m}}, nil
	}
	switch {
	case i < 0:
		return nil, Refuse(NotFound, "the ticket has no such message")
	case head == m.Summary():
		return nil, nil
	}
	return &Event{Type: Revised, Before: Change{Message: &Message{ID: m.ID}}, After: Change{Message: &m}}, nil
}

// follows reports whether nobody asked for an action: it follows from the time, from what others answered, from the directory. What comes too late does nothing.
func (a Action) follows() bool { return a == Fire || a == Answer || a == Attend }

// move hands the action to the ticket's process.
func (t Ticket) move(c Command, at time.Time) (*Event, error) {
	if t.Ended() {
		if c.Action.follows() {
			return nil, nil // it has come too late to matter
		}
		return nil, t.tooLate(c, at)
	}
	if t.Suspended && !c.Action.follows() {
		return nil, Refuse(Conflict, "the ticket is suspended")
	}
	e, err := t.step(t.input(c), says[c.Action], at)
	if c.Action == Answer && AsError(err) != nil {
		// Nobody waits who could be told. Unanswered, the request would be made again without end: so it has failed.
		called := *c.Called
		called.Error, called.Body, called.Headers = tame(err.Error(), MaxReason), "", nil
		if t.Rules < flow.RulesWeighed {
			called.Status = 0
		}
		e, _, err = t.advance(called, says[c.Action], at)
	}
	if err != nil || e == nil {
		return nil, err
	}
	switch c.Action {
	case Fire:
		if c.Fired.SLA != "" {
			e.Type, e.Note = ofSLA(*c.Fired), e.ProcessLog[0].Note
		}
	case CommitSolution:
		e.Before.Solution, e.After.Solution = t.Solution, c.Solution
	case Confirm:
		e.Before.Verdict, e.After.Verdict = t.Verdict, c.Verdict
		e.Note = c.Verdict.Comment
		if !c.Verdict.Passed {
			e.Type = Returned
		}
	}
	return e, nil
}

// input says in the process's words what a command is.
func (t Ticket) input(c Command) flow.Input {
	switch c.Action {
	case Fire:
		return *c.Fired
	case Answer:
		return *c.Called
	case Attend:
		return *c.Presence
	}
	act := flow.Act{Action: flow.Action(c.Action), Node: c.Node, Round: c.Round, Actor: c.Operator, Admin: c.may(), OnBehalf: c.OnBehalf, Comment: c.Note,
		Targets: c.Targets, Fields: c.Fields, Resend: c.Resend, Place: c.Place, To: c.To}
	if c.Action == Confirm {
		act.Pass, act.Comment = c.Verdict.Passed, c.Verdict.Comment
	}
	return act
}

// may reports whether the app's rights count for this command.
func (c Command) may() bool { return c.Admin && !c.Personal }

// personally refuses an operator who has to be entitled in person to move the ticket as a whole, and is not asked anywhere.
func (t Ticket) personally(c Command) error {
	if c.Personal && !t.Ended() && !t.asks(c.Operator) {
		return RefuseField(Forbidden, "operator", "only those whom the ticket asks can do that")
	}
	return nil
}

// beside refuses a person who does beside the process what is not theirs to do: close, reopen and relate are for whoever opened the ticket, has it or is asked. Everybody may
// say something, as themselves; what was said is not rewritten, because the ticket does not keep who said it.
func (t Ticket) beside(c Command) error {
	if !c.Personal {
		return nil
	}
	who := c.Operator
	switch {
	case who == "":
		return RefuseField(Forbidden, "operator", "is required: a person acts as themselves")
	case c.Action == Say && c.Message.Author != who:
		return RefuseField(Forbidden, "author", "must be the person who says it")
	case c.Action == Revise, c.Action == Report:
		return RefuseField(Forbidden, "operator", "no person can do that as themselves")
	case c.Action != Close && c.Action != Reopen && c.Action != Relate, who == t.Opener, who == t.Assignee, t.asks(who):
		return nil
	}
	return RefuseField(Forbidden, "operator", "only its opener, its assignee and those whom the ticket asks can do that")
}

func (t Ticket) changed(says Type, to Status) *Event {
	return &Event{Type: says, Before: Change{Status: t.Status}, After: Change{Status: to}}
}

// tooLate refuses what comes to a ticket that is over. Who votes hears who has decided: the vote was on when they began to write.
func (t Ticket) tooLate(c Command, at time.Time) error {
	if c.Action == Approve || c.Action == Reject {
		_, err := t.step(t.input(c), says[c.Action], at)
		if why := AsError(err); why != nil && why.Code == Conflict {
			return RefuseField(Conflict, why.Field, fmt.Sprintf("the ticket is %s: %s", t.Status, why.Message))
		}
	}
	return t.over()
}

func (t Ticket) over() error { return Refuse(Conflict, fmt.Sprintf("the ticket is %s", t.Status)) }

func flag(b bool) *bool { return &b }

// tame makes a text that nobody checked fit for every store: valid, on one line, at most max characters.
func tame(s string, max int) string {
	r := []rune(s)
	if len(r) > max {
		r = r[:max]
	}
	for i := range r {
		if unicode.IsControl(r[i]) {
			r[i] = ' '
		}
	}
	return string(r)
}
