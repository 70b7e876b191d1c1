package ticket

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"signalbox/flow"
	"signalbox/internal/jsonsize"
)

// Action is what somebody wants to do to a ticket, in the words of the issue family's handle call.
type Action string

// Actions of a process. Which of them a ticket takes depends on the nodes at which it stands; package flow says what each does.
const (
	Accept         Action = Action(flow.Accept)
	CommitSolution Action = Action(flow.CommitSolution)
	Confirm        Action = Action(flow.Confirm)
	Submit         Action = Action(flow.Submit)
	Approve        Action = Action(flow.Approve)
	Reject         Action = Action(flow.Reject)
	Add            Action = Action(flow.Add)
	Remove         Action = Action(flow.Remove)
	Retract        Action = Action(flow.Retract)
	Claim          Action = Action(flow.Claim)
	Assign         Action = Action(flow.Assign)
	Deliver        Action = Action(flow.Deliver) // hand over to somebody else
	Reassign       Action = Action(flow.Reassign)
	Retry          Action = Action(flow.Retry) // an automatic node that failed
	Skip           Action = Action(flow.Skip)  // likewise
)

// Actions on the ticket as a whole. Terminate with a node ends it from there, by those who are asked there.
const (
	Suspend   Action = "suspend"
	Unsuspend Action = "unsuspend"
	Withdraw  Action = "withdraw"
	Terminate Action = Action(flow.Terminate)
)

// Actions beside the process, each with a call of its own.
const (
	Close  Action = "close"
	Reopen Action = "reopen"
	Relate Action = "relate"
	Say    Action = "say"
	Revise Action = "revise"
	Report Action = "report" // an external system says what became of the case there

	Migrate Action = "migrate" // to another version of its service, by an admin
)

// What the workflow itself brings in.
const (
	Fire   Action = "fire"   // a timer of the process has come due
	Answer Action = "answer" // of an HTTP request that the process made
	Attend Action = "attend" // the directory says who is absent, and who is not active any more
)

// HandleActions are the words the issue family's handle call takes.
var HandleActions = []Action{Accept, CommitSolution, Confirm, Submit, Approve, Reject, Add, Remove, Retract, Claim, Assign, Deliver, Reassign, Retry, Skip,
	Suspend, Unsuspend, Withdraw, Terminate}

// UpdateActions are the names of Temporal updates that mean the action of the same name: all that a running ticket is asked by somebody. They are only appended to: updates that
// come before a workflow knows any are handled name by name in this order, and replays must do the same.
var UpdateActions = append(slices.Clone(HandleActions), Close, Relate, Say, Revise, Report, Migrate, Attend)

// SignalActions are the names of Temporal signals that mean the action of the same name.
var SignalActions = []Action{Accept, CommitSolution, Confirm, Approve, Reject}

// Built-in services.
const (
	ServiceIncident     = flow.ServiceIncident
	ServiceFastApproval = flow.ServiceFastApproval
)

// says names the event of each action of a process. Confirm says Returned when the verdict is no.
var says = map[Action]Type{Accept: Accepted, CommitSolution: Solved, Confirm: Confirmed, Submit: Submitted, Approve: Approved, Reject: Rejected,
	Add: Added, Remove: Removed, Retract: Retracted, Claim: Claimed, Assign: Assigned, Deliver: Delivered, Reassign: Reassigned, Retry: Retried, Skip: Skipped,
	Terminate: Stopped, Fire: Elapsed, Answer: Called, Attend: Attended}

// Process gives the process that the ticket runs through: its pinned definition, or the built-in one of its service.
func (t Ticket) Process() (*flow.Process, error) {
	if t.process != nil {
		return t.process, nil
	}
	return processOf(t.Service, t.Definition)
}

// Through gives the ticket as one that runs through a process which differs from its own in nothing but what things are called. It is for showing it, and nothing of it is kept.
func (t Ticket) Through(process *flow.Process) Ticket {
	t.process = process
	return t
}

func processOf(service string, def *flow.Definition) (*flow.Process, error) {
	if def != nil {
		return compile(def)
	}
	if p, ok := flow.Builtin()[service]; ok {
		return p, nil
	}
	return nil, Refuse(Unavailable, fmt.Sprintf("the service %q is not known here", service))
}

// compiled keeps what was compiled: compiling takes milliseconds, and every command of a ticket needs its process. It holds nothing that could
// make an outcome depend on what came before.
var compiled struct {
	sync.Mutex
	byVersion map[version]pinned
}

// version tells definitions apart for the most part: a service's number is its own, but one that was never published has none.
type version struct {
	service   int64
	key       string
	version   int
	calendars string // with their versions
}

type pinned struct {
	def     *flow.Definition
	process *flow.Process
}

// maxCompiled bounds how many definitions are kept compiled.
const maxCompiled = 1000

func compile(def *flow.Definition) (*flow.Process, error) {
	key := version{def.Number, def.Key, def.Version, ""}
	for _, c := range def.Calendars {
		key.calendars += fmt.Sprint(c.Key, c.Version, " ")
	}
	compiled.Lock()
	defer compiled.Unlock()
	if have, ok := compiled.byVersion[key]; ok && (have.def == def || reflect.DeepEqual(have.def, def)) {
		return have.process, nil
	}
	process, err := flow.Compile(*def)
	if err != nil {
		return nil, fmt.Errorf("compile version %d of the service %s: %w", def.Version, def.Key, err)
	}
	if compiled.byVersion == nil || len(compiled.byVersion) >= maxCompiled {
		compiled.byVersion = map[version]pinned{}
	}
	compiled.byVersion[key] = pinned{def, process}
	return process, nil
}

// LooksUp reports whether deciding on the ticket can need facts about people.
func (t Ticket) LooksUp() bool {
	process, err := t.Process()
	return err == nil && process.LooksUp()
}

// env is what the process may know of the ticket.
func (t Ticket) env(at time.Time) flow.Env {
	return flow.Env{Now: at, Rules: t.Rules, Opener: t.Opener, Assignee: t.Assignee, Fields: t.Fields, Named: t.Named, Facts: t.facts}
}

// latest gives the ticket the rules of the day, and returns them where they are others than it had.
func (t *Ticket) latest() flow.Rules {
	if t.Rules >= flow.RulesNow {
		return 0
	}
	t.Rules = flow.RulesNow
	return flow.RulesNow
}

// step lets the process decide. No event and no error mean that the input came too late to matter.
func (t Ticket) step(in flow.Input, says Type, at time.Time) (*Event, error) {
	e, most, err := t.advance(in, says, at)
	if err != nil || e == nil {
		return nil, err
	}
	return e, t.carries(e.After, most)
}

// advance is step without regard to how large the ticket becomes. It gives a number of bytes that the event takes no more than.
func (t Ticket) advance(in flow.Input, says Type, at time.Time) (e *Event, most int, err error) {
	process, err := t.Process()
	if err != nil {
		return nil, 0, err
	}
	out, err := process.Step(t.Position, t.env(at), in)
	if err != nil {
		return nil, 0, err
	}
	if len(out.States) == 0 && len(out.SLA) == 0 {
		return nil, 0, nil
	}
	e = &Event{Type: says, ProcessLog: out.ProcessLog}
	e.After.States, e.After.Fields, e.After.SLA = out.States, out.Fields, out.SLA
	if to := Status(out.Status); to != "" && to != t.Status {
		e.Before.Status, e.After.Status = t.Status, to
	}
	if out.Assignee != nil && *out.Assignee != t.Assignee {
		was := t.Assignee // a pointer into the ticket would have all of it copied to be kept
		e.Before.Assignee, e.After.Assignee = &was, out.Assignee
	}
	if out.Ending != nil {
		e.Before.Status, e.After.Status = t.Status, Status(out.Ending.Status)
		t.judge(e, out.Ending.ApproveResult, out.Ending.Why)
	}
	most, err = e.fits("fields")
	return e, most, err
}

// carries refuses a change that would make the ticket too large to be carried through a roll-over; most is what the change takes no more than.
func (t Ticket) carries(c Change, most int) error {
	if err := t.carriesStates(c, most); err != nil || len(c.Fields) == 0 {
		return err
	}
	var f Faults
	f.fields(merged(t.Fields, c.Fields))
	return f.Err()
}

func (t Ticket) carriesStates(c Change, most int) error {
	// What is changed is counted with what it replaces, which tells enough of most tickets.
	if was, _ := jsonsize.AtMost(t.Position); was+most <= MaxPosition {
		return nil
	}
	position := flow.ApplySLA(flow.Apply(t.Position, c.States), c.SLA)
	if most, known := jsonsize.AtMost(&position); known && most <= MaxPosition {
		return nil
	}
	raw, err := json.Marshal(position)
	if err != nil {
		return fmt.Errorf("write a position: %w", err)
	}
	if len(raw) > MaxPosition {
		return Refuse(Conflict, fmt.Sprintf("the votes and people of the ticket's process have reached the limit of %d bytes as JSON", MaxPosition))
	}
	return nil
}

// stop puts away, in an ending by something else than the ticket's process, what is open there.
func (t Ticket) stop(e *Event, at time.Time) {
	process, err := t.Process()
	if err != nil {
		return // it can be ended all the same
	}
	out, err := process.Step(t.Position, t.env(at), flow.Stop{})
	if err != nil {
		return
	}
	e.After.States, e.After.SLA, e.ProcessLog = out.States, out.SLA, out.ProcessLog
}

// Node is a place in a process where the ticket stands.
type Node struct {
	flow.Asked
	Votes []flow.Vote `json:"votes,omitempty"`
}

// Nodes lists where the ticket stands, and whom it asks there. An ended ticket stands nowhere.
func (t Ticket) Nodes() []Node {
	process, err := t.Process()
	if err != nil || t.Ended() {
		return nil
	}
	var out []Node
	for _, asked := range process.Waiting(t.Position) {
		state, _ := t.Position.Find(asked.Node)
		out = append(out, Node{Asked: asked, Votes: state.Votes})
	}
	return out
}

// Overdue lists what happens at once because its time has passed by then: see flow.
func (t Ticket) Overdue(at time.Time) []flow.Overdue {
	process, err := t.Process()
	if err != nil || t.Ended() {
		return nil
	}
	return process.Overdue(t.Position, at)
}

// Timers lists the moments at which the process wants to be told, with Fire, that they have come; the earliest first.
func (t Ticket) Timers() []flow.Timer {
	if t.Ended() {
		return nil
	}
	return flow.Due(t.Position)
}

// Calls lists the HTTP requests that the process waits for; what comes of each is told with Answer.
func (t Ticket) Calls(at time.Time) []flow.PendingCall {
	process, err := t.Process()
	if err != nil || t.Ended() {
		return nil
	}
	return process.Calls(t.Position, t.env(at))
}

// Awaits reports whether the process waits for what comes of the request of that key (flow.PendingCall), also while the ticket is suspended.
func (t Ticket) Awaits(key string) bool { return !t.Ended() && t.Position.Awaits(key) }

// Approved is itsm's approve_result: the process itself came to its end, and every approval it came to on its way there was passed. Tickets whose ending
// says nothing of it, those of flow.RulesFirst, are also approved where they were closed by hand and nothing but passed approvals lay before that.
func (t Ticket) Approved() bool {
	if t.ApproveResult != nil {
		return *t.ApproveResult
	}
	return t.Status == Completed && flow.ApproveResult(t.Position)
}

// judge writes into an ending whether it approves the ticket, and why.
func (t Ticket) judge(e *Event, approved bool, why string) {
	if t.Rules >= flow.RulesWeighed {
		e.After.ApproveResult, e.Why = &approved, why
	}
}

// merged gives fields with more of them set, in a copy.
func merged(fields, more flow.Values) flow.Values {
	if len(more) == 0 {
		return fields
	}
	out := maps.Clone(fields)
	if out == nil {
		out = make(flow.Values, len(more))
	}
	maps.Copy(out, more)
	return out
}
