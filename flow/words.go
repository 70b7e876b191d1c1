package flow

import "slices"

// NodeType says what a node does.
type NodeType string

const (
	Task     NodeType = "task"     // one person does something
	Approval NodeType = "approval" // people vote
	Call     NodeType = "call"     // an HTTP request is made
	Wait     NodeType = "wait"     // time passes
	Branch   NodeType = "branch"   // the first case whose condition holds is taken
	Parallel NodeType = "parallel" // all branches are taken at once
	Join     NodeType = "join"     // waits for all branches of its parallel
	End      NodeType = "end"      // the ticket is over
)

// Action is what somebody does at a node. The words that the rule book of tickets also knows are spelled as there.
type Action string

const (
	Accept         Action = "accept" // makes the one who acts the ticket's assignee
	CommitSolution Action = "commit-solution"
	Confirm        Action = "confirm" // says yes or no
	Submit         Action = "submit"  // fills in a form

	Approve Action = "approve"
	Reject  Action = "reject"
	Add     Action = "add"     // more approvers, while the vote is on
	Remove  Action = "remove"  // somebody who was added and has not voted
	Retract Action = "retract" // one's own vote, while the vote is on

	Claim     Action = "claim"     // one of those asked takes the task
	Assign    Action = "assign"    // somebody gives the task to others
	Deliver   Action = "deliver"   // hand over to somebody else
	Reassign  Action = "reassign"  // an admin replaces who is asked
	Terminate Action = "terminate" // ends the ticket from this node
	Retry     Action = "retry"     // a node that failed
	Skip      Action = "skip"      // likewise
)

// State is what a node is doing. Done, Skipped and Cancelled are over; in every other state the node holds the ticket's token.
type State string

const (
	Active    State = "active"    // people are asked to act
	Claiming  State = "claiming"  // somebody has to claim it first
	Assigning State = "assigning" // somebody has to assign it first
	Calling   State = "calling"   // an HTTP request is pending
	Failed    State = "failed"    // it could not be done; waits for retry or skip
	Waiting   State = "waiting"   // for time to pass, or for the other branches
	Done      State = "done"
	Skipped   State = "skipped"
	Cancelled State = "cancelled" // the ticket went elsewhere or ended
)

// Open reports whether a node in this state still holds a token.
func (s State) Open() bool { return s != "" && s != Done && s != Skipped && s != Cancelled }

// FieldType says what a form's field holds.
type FieldType string

const (
	String      FieldType = "STRING"      // one line, at most 255 characters
	Text        FieldType = "TEXT"        // at most 65,536 characters
	Int         FieldType = "INT"         // a whole number that a float64 holds exactly
	Date        FieldType = "DATE"        // 2006-01-02
	DateTime    FieldType = "DATETIME"    // 2006-01-02 15:04:05, or RFC 3339
	Bool        FieldType = "BOOL"        // a JSON boolean, "true" or "false"
	Select      FieldType = "SELECT"      // one of the choices
	Radio       FieldType = "RADIO"       // likewise
	Checkbox    FieldType = "CHECKBOX"    // comma list of choices
	Multiselect FieldType = "MULTISELECT" // likewise
	Member      FieldType = "MEMBER"      // one person
	Members     FieldType = "MEMBERS"     // comma list of persons
	Link        FieldType = "LINK"        // an http or https URL
)

// Rule says when an approval is over and what came of it.
type Rule string

const (
	AnyOf    Rule = "any"      // the first vote decides ("or-sign")
	AllOf    Rule = "all"      // passed when there is not a single rejection ("and-sign")
	NOfM     Rule = "n-of-m"   // passed when n approve
	PartOf   Rule = "percent"  // passed when at least this part of those asked approves
	Sequence Rule = "sequence" // as all, one after the other in the order in which they are asked
)

// Distribution is how a task finds the one who does it.
type Distribution string

const (
	ByAll           Distribution = "process"           // any one of those asked does it
	ByClaim         Distribution = "claim"             // one claims it, then does it
	ByAssign        Distribution = "assign"            // the assigners choose who does it
	AssignThenClaim Distribution = "assign-then-claim" // the assigners choose who may claim it
)

// Rejected is where a rejection leads.
type Rejected string

const (
	GoOn     Rejected = "on"     // to next, with the result false
	GoBack   Rejected = "back"   // to a named node
	GoChoose Rejected = "choose" // to one of those that the ticket has passed, which whoever rejects chooses
	GoEnd    Rejected = "end"    // the ticket is terminated
)

// Resubmit is where a ticket goes that was sent back, once the node is done that it was sent back to.
type Resubmit string

const (
	Through    Resubmit = "through"  // by the ways of the process, from there on
	ToRejector Resubmit = "rejector" // straight back to the node that rejected it, where the approvals of that round still count
)

// Missing is what happens at a node for which nobody is found.
type Missing string

const (
	WaitIfNobody Missing = "wait" // it is shown, and an admin reassigns it
	SkipIfNobody Missing = "skip" // the ticket goes on, as if the node were not there
)

// Place says where those come who are added to an approval.
type Place string

const (
	Before Place = "before" // in the place of whoever adds them, one after the other, and then whoever added them
	Beside Place = "beside" // with a voice of their own
	After  Place = "after"  // in the place of whoever adds them, once that one has agreed
)

// Places lists where somebody can be added; Beside unless said.
var Places = []Place{Before, Beside, After}

// Remedy is what a deadline does.
type Remedy string

const (
	DoRemind   Remedy = "remind"   // tell those who are asked once more
	DoEscalate Remedy = "escalate" // ask others as well, or instead
	DoReassign Remedy = "reassign" // ask others instead
	DoApprove  Remedy = "approve"  // said for everybody who has not voted, and the rule decides; or the task is done
	DoReject   Remedy = "reject"   // likewise; or a confirm says no
)

// Status is what a node makes of the ticket on entry; the ticket's own words.
type Status string

const (
	Triggered    Status = "triggered"
	Acknowledged Status = "acknowledged"
	Resolved     Status = "resolved"
	Completed    Status = "completed"
	Terminated   Status = "terminated"
)

// What an approval's finish can say instead of a condition.
const (
	FinishEveryone = "everyone" // when nobody is left to vote
	FinishDecided  = "decided"  // as soon as the votes still missing cannot change the result
)

// Vocabulary lists every enum of a definition's schema under the name of its member: the one list from which definitions are checked, the
// documentation is kept honest, and the tests know what they must exercise.
var Vocabulary = map[string][]string{
	"service_type":  {"request", "change", "event", "question"},
	"type":          texts(Task, Approval, Call, Wait, Branch, Parallel, Join, End),
	"action":        texts(Accept, CommitSolution, Confirm, Submit),
	"distribute":    texts(ByAll, ByClaim, ByAssign, AssignThenClaim),
	"rule":          texts(AnyOf, AllOf, NOfM, PartOf, Sequence),
	"finish":        {FinishEveryone, FinishDecided},
	"reject.then":   texts(GoOn, GoBack, GoChoose, GoEnd),
	"resubmit":      texts(Through, ToRejector),
	"if_nobody":     texts(WaitIfNobody, SkipIfNobody),
	"deadline.do":   texts(DoRemind, DoEscalate, DoReassign, DoApprove, DoReject),
	"field.type":    texts(String, Text, Int, Date, DateTime, Bool, Select, Radio, Checkbox, Multiselect, Member, Members, Link),
	"status":        texts(Triggered, Acknowledged, Resolved),
	"end.status":    texts(Completed, Terminated),
	"call.method":   {"GET", "POST", "PUT", "PATCH", "DELETE"},
	"escalate.mode": {"add", "replace"},
}

// Actions lists every word that an Act may carry.
var Actions = []Action{Accept, CommitSolution, Confirm, Submit, Approve, Reject, Add, Remove, Retract, Claim, Assign, Deliver, Reassign, Terminate, Retry, Skip}

func texts[T ~string](words ...T) []string {
	out := make([]string, len(words))
	for i, word := range words {
		out[i] = string(word)
	}
	return out
}

func known[T ~string](enum string, word T) bool {
	return slices.Contains(Vocabulary[enum], string(word))
}
