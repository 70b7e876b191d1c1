package ticket

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"signalbox/flow"
)

// Flag is a boolean that is also taken as the string "true" or "false", as old clients of the incident family send it. Use *Flag where
// it may be missing.
type Flag bool

// UnmarshalJSON implements json.Unmarshaler.
func (f *Flag) UnmarshalJSON(raw []byte) error {
	switch string(raw) {
	case "true", `"true"`:
		*f = true
	case "false", `"false"`:
		*f = false
	default:
		return Refuse(Invalid, "must be true or false")
	}
	return nil
}

var _ json.Unmarshaler = (*Flag)(nil)

// Millis is a time in milliseconds since 1970 that is also taken as a string of digits, as old clients of the incident family send numbers. Use
// *Millis where it may be missing.
type Millis int64

// UnmarshalJSON implements json.Unmarshaler.
func (m *Millis) UnmarshalJSON(raw []byte) error {
	text := string(raw)
	if digits := strings.TrimSuffix(strings.TrimPrefix(text, `"`), `"`); len(digits) == len(text)-2 {
		text = digits
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return Refuse(Invalid, "must be a whole number of milliseconds since 1970")
	}
	*m = Millis(n)
	return nil
}

var _ json.Unmarshaler = (*Millis)(nil)

// Parameter is the parameter object of seed 001 as it comes in, by whatever door: nil is what is not there.
//
//	commit-solution  mtm_type, is_service_interrupt, cause, solution; start_time, fault_recovery_time
//	confirm          virtual_confirm_result, virtual_confirm_comment
//
// All but the two times are required; other actions take none of it.
type Parameter struct {
	Type        *string `json:"mtm_type"`
	Interrupted *Flag   `json:"is_service_interrupt"`
	Cause       *string `json:"cause"`
	Text        *string `json:"solution"`
	Started     *Millis `json:"start_time"`
	Recovered   *Millis `json:"fault_recovery_time"`
	Passed      *Flag   `json:"virtual_confirm_result"`
	Comment     *string `json:"virtual_confirm_comment"`
}

// Names are those of the members, in their order.
func (Parameter) Names() (names []string) {
	for _, m := range (&Parameter{}).members() {
		names = append(names, m.name)
	}
	return names
}

// Read has each member read by its name: into is a pointer to it.
func (p *Parameter) Read(read func(name string, into any)) {
	for _, m := range p.members() {
		read(m.name, m.into)
	}
}

type parameterMember struct {
	name string
	into any
}

func (p *Parameter) members() []parameterMember {
	v := reflect.ValueOf(p).Elem()
	all := make([]parameterMember, v.NumField())
	for i := range all {
		all[i] = parameterMember{v.Type().Field(i).Tag.Get("json"), v.Field(i).Addr().Interface()}
	}
	return all
}

// Fill fills in what a command's action needs, and tells everything that is wrong with it; with that, so that all is told at once, what the
// command's own Check says, which is otherwise left to whoever decides.
func (p Parameter) Fill(c *Command) error {
	var f Faults
	switch c.Action {
	case CommitSolution:
		c.Solution = &Solution{Type: text(p.Type), Interrupted: p.Interrupted != nil && bool(*p.Interrupted), Cause: text(p.Cause), Text: text(p.Text),
			StartedAt: (*int64)(p.Started), RecoveredAt: (*int64)(p.Recovered)}
		if p.Interrupted == nil {
			f.Add("is_service_interrupt", "is required")
		}
	case Confirm:
		if p.Passed != nil {
			c.Verdict = &Verdict{Passed: bool(*p.Passed), Comment: text(p.Comment)}
		}
	}
	if len(f) == 0 {
		return nil
	}
	if refusal := AsError(c.Check()); refusal != nil {
		f = append(f, refusal)
	}
	return f.Err()
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// typed refuses a solution of a type that there is not: of those that the ticket was opened with, or else of those that the command carries. Where
// neither says any, every type is taken.
func (t Ticket) typed(c Command) error {
	types := t.Types
	if len(types) == 0 {
		types = c.Types
	}
	if c.Solution == nil || len(types) == 0 || slices.Contains(types, c.Solution.Type) {
		return nil
	}
	return RefuseField(Invalid, "mtm_type", "is none of "+strings.Join(types, ", "))
}

// handing are the actions that say to whom.
var handing = []Action{Assign, Deliver, Add, Remove, Reassign}

// Misplaced refuses what a command says that its action has no place for: to whom something goes, that a request is to be sent again, where somebody is added,
// and where a rejection leads.
func (c Command) Misplaced() error {
	var f Faults
	if len(c.Targets) > 0 && !slices.Contains(handing, c.Action) {
		f.Add("targets", fmt.Sprintf("are nothing that %s takes", c.Action))
	}
	if c.Resend && c.Action != Retry {
		f.Add("resend", fmt.Sprintf("is nothing that %s takes", c.Action))
	}
	if c.Place != "" && c.Action != Add {
		f.Add("place", fmt.Sprintf("is nothing that %s takes", c.Action))
	}
	if c.To != "" && c.Action != Reject && c.Action != Confirm {
		f.Add("to", fmt.Sprintf("is nothing that %s takes", c.Action))
	}
	return f.Err()
}

// placed is Misplaced for a ticket: one of before takes and passes over what it always did.
func (t Ticket) placed(c Command) error {
	if t.Rules < flow.RulesComplete {
		return nil
	}
	return c.Misplaced()
}

// signed refuses what somebody does without saying who it is. An app may suspend a ticket, or end it, with nobody's name on it; through Temporal
// there is no app that would answer for it.
func (t Ticket) signed(c Command) error {
	excused := t.Rules < flow.RulesComplete || c.Operator != "" || c.Channel == ChannelSystem
	if excused || !slices.Contains(SignalActions, c.Action) && (c.Channel != ChannelSignal || !slices.Contains(HandleActions, c.Action)) {
		return nil
	}
	return RefuseField(Invalid, "operator", fmt.Sprintf("is required: %s is done by somebody", c.Action))
}
