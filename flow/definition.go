package flow

import "signalbox/calendar"

// Definition is a process as data. It begins at its first node. Once published it never changes; a change is a new version.
type Definition struct {
	Key         string  `json:"key"`              // the service's key: A-Za-z0-9_.-
	Number      int64   `json:"number,omitempty"` // integer id of the service, the same in all versions; given by AssignNumbers
	Version     int     `json:"version,omitempty"`
	Name        string  `json:"name"`
	Description string  `json:"description,omitempty"`
	ServiceType string  `json:"service_type,omitempty"` // request unless said
	Fields      []Field `json:"fields,omitempty"`       // the form that opens a ticket
	Calendar    string  `json:"calendar,omitempty"`     // that working time is counted by where nothing closer names one
	SLA         []SLA   `json:"sla,omitempty"`          // what is promised of a ticket as a whole
	Nodes       []Node  `json:"nodes"`

	// Calendars are those that the definition names, as they are on the day on which a ticket is opened with it. They are given then, and no part of a document.
	Calendars []calendar.Calendar `json:"calendars,omitempty"`
}

// Field is one entry of a form. Its key is what conditions, templates and processors call it.
type Field struct {
	Key      string    `json:"key"`
	Name     string    `json:"name,omitempty"` // the key unless said
	Type     FieldType `json:"type"`
	Required bool      `json:"required,omitempty"`
	Choice   []Choice  `json:"choice,omitempty"`  // SELECT, RADIO, CHECKBOX, MULTISELECT
	Regex    string    `json:"regex,omitempty"`   // STRING and TEXT: must match the whole value
	Default  any       `json:"default,omitempty"` // taken when the field is left out
}

// Choice is one value a field may have, and how it is shown.
type Choice struct {
	Key  string `json:"key"`
	Name string `json:"name,omitempty"` // the key unless said
}

// Node is one place in a process. Which members a type takes is said in check_members.go; any other member is a fault.
type Node struct {
	ID     string   `json:"id"`               // a word; conditions call the node by it
	Number int64    `json:"number,omitempty"` // integer id, the same in all versions; given by AssignNumbers
	Name   string   `json:"name"`             // part of the contract: clients find a node by its name
	Type   NodeType `json:"type"`
	Status Status   `json:"status,omitempty"` // that the ticket takes on entry; end: completed unless said, or terminated
	Next   string   `json:"next,omitempty"`

	Action     Action       `json:"action,omitempty"`     // task: the word that completes it; submit unless said
	Fields     []Field      `json:"fields,omitempty"`     // task, approval: the form; call: the fields its answer fills
	Processors *Processors  `json:"processors,omitempty"` // task, approval: who is asked; call: who is asked when it failed
	Distribute Distribution `json:"distribute,omitempty"` // task; process unless said
	Assigners  *Processors  `json:"assigners,omitempty"`  // task: who assigns
	Deliver    *Processors  `json:"deliver,omitempty"`    // task, approval: to whom it may be handed over; left out: it may not
	Terminable bool         `json:"terminable,omitempty"` // task, approval: those asked may end the ticket from here
	Reject     *Rejection   `json:"reject,omitempty"`     // approval, confirm: where a rejection leads; on unless said
	Deadline   []Stage      `json:"deadline,omitempty"`   // task, approval
	Calendar   string       `json:"calendar,omitempty"`   // task, approval, wait: that its working time is counted by

	Rule    Rule        `json:"rule,omitempty"`    // approval; any unless said
	N       int         `json:"n,omitempty"`       // n-of-m: how many must approve
	Percent int         `json:"percent,omitempty"` // percent: how many of a hundred must approve, 1 to 100
	Veto    *Veto       `json:"veto,omitempty"`    // approval: whose single rejection decides
	Finish  string      `json:"finish,omitempty"`  // approval: everyone, decided, or (all, sequence) a condition over the counts; see vote.go
	Add     *Processors `json:"add,omitempty"`     // approval: who may be added as an approver; left out: nobody

	FourEyes    bool     `json:"four_eyes,omitempty"`     // approval: the opener may not vote, nor whoever acts for the opener
	Not         []string `json:"not,omitempty"`           // approval: nodes; who acted there may not vote here
	Retract     bool     `json:"retract,omitempty"`       // approval: who has voted may take the vote back while the vote is on
	SkipIfVoted bool     `json:"skip_if_voted,omitempty"` // approval: who approved at an earlier one is not asked again; see carried
	IfNobody    Missing  `json:"if_nobody,omitempty"`     // task, approval: what happens where nobody is found; wait unless said

	Call *Request `json:"call,omitempty"` // call

	For   string `json:"for,omitempty"`   // wait: a duration, or working time
	Until string `json:"until,omitempty"` // wait: the key of a DATE or DATETIME field

	Cases   []Case `json:"cases,omitempty"`   // branch: the first that holds is taken
	Default string `json:"default,omitempty"` // branch: where to go when none does

	Branches []Path `json:"branches,omitempty"` // parallel
	Join     string `json:"join,omitempty"`     // parallel: where its branches meet
}

// Processors says who is asked: everybody that any of its members names, each once, in this order.
type Processors struct {
	Persons  []string `json:"persons,omitempty"`
	Opener   bool     `json:"opener,omitempty"`
	Assignee bool     `json:"assignee,omitempty"`
	Fields   []string `json:"fields,omitempty"` // keys; the first that is not empty names them
	Groups   []string `json:"groups,omitempty"` // ids of groups: their active members, looked up when people are asked
	// ManagerOf asks the manager of somebody, likewise: of the opener, the assignee, or everybody whom the field with this key names.
	ManagerOf string `json:"manager_of,omitempty"`
	// HTTP asks for them outside, as the node is entered: its answer maps persons to a list of names, or to one text with commas; the body unless said.
	HTTP *Request `json:"http,omitempty"`

	Caller bool `json:"caller,omitempty"` // whoever the caller named for this node, and nobody without that
	Anyone bool `json:"anyone,omitempty"` // anybody may act; those named besides are the ones shown as asked
}

// Rejection is where a rejection, or a confirm that says no, leads.
type Rejection struct {
	Then     Rejected `json:"then"`
	To       string   `json:"to,omitempty"`       // back: the node; choose: the one where nobody has chosen
	Resubmit Resubmit `json:"resubmit,omitempty"` // back, choose: where the ticket goes once that node is done; through unless said
}

// Veto says whose single rejection finishes an approval as refused.
type Veto struct {
	Anyone  bool     `json:"anyone,omitempty"`
	Persons []string `json:"persons,omitempty"`
}

// Stage is one step of a node's deadline. Stages come due in order, each so long after the node was entered.
type Stage struct {
	After    string      `json:"after"` // a duration, or working time such as 8 working hours
	Do       Remedy      `json:"do"`
	To       *Processors `json:"to,omitempty"`       // escalate, reassign: whom
	Mode     string      `json:"mode,omitempty"`     // escalate: add (unless said) or replace
	Calendar string      `json:"calendar,omitempty"` // that working time is counted by; that of the node, or of the definition, unless said
}

// Request is an HTTP request with holes: ${…} holds an expression over fields, nodes, opener, assignee and now. In the URL a value is
// percent-encoded; a string of the body that is nothing but one hole becomes the value itself, with its type.
type Request struct {
	Method  string            `json:"method,omitempty"` // POST unless said
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    any               `json:"body,omitempty"`    // any JSON
	Timeout string            `json:"timeout,omitempty"` // of one try; 10s unless said
	Retry   *Tries            `json:"retry,omitempty"`
	Success string            `json:"success,omitempty"` // a condition over status, headers and body; any 2xx unless said
	Answer  map[string]string `json:"answer,omitempty"`  // field key: expression over status, headers and body
}

// Tries says how often a request is made before a person is asked.
type Tries struct {
	Attempts    int     `json:"attempts,omitempty"`    // in all, 1 to 100; 3 unless said
	Interval    string  `json:"interval,omitempty"`    // before the second try; 10s unless said
	Coefficient float64 `json:"coefficient,omitempty"` // each interval is so much longer, 1 to 10; 2 unless said
}

// Case is one way out of a branch.
type Case struct {
	Name string `json:"name,omitempty"` // shown; the condition unless said
	When string `json:"when"`
	Next string `json:"next"`
}

// Path is one branch of a parallel.
type Path struct {
	Name string `json:"name"`
	Next string `json:"next"`
}
