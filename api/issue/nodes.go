package issue

import (
	"slices"
	"time"

	"signalbox/api"
	"signalbox/api/parameter"
	"signalbox/flow"
	"signalbox/ticket"
)

// node is a place where an issue stands. What may be long is in the issue itself alone, not in lists.
type node struct {
	ID         string          `json:"id"`
	Number     int64           `json:"number"`
	Name       string          `json:"name"`
	Type       flow.NodeType   `json:"type"`
	State      flow.State      `json:"state"`
	Round      int             `json:"round"`              // how often it was entered; an act can say which it was made for
	Processors []string        `json:"processors"`         // everybody who is asked, those who have voted included
	Pending    []string        `json:"pending"`            // who can act now
	Anyone     bool            `json:"anyone"`             // anybody can
	Voices     map[string]int  `json:"voices,omitempty"`   // of those who carry more than one
	After      []turn          `json:"after,omitempty"`    // places in which others are asked once somebody has agreed
	Standing   []flow.Standing `json:"standing,omitempty"` // who stands in for those who can act now and are absent
	Back       []string        `json:"back,omitempty"`     // where a rejection can lead back to, for whoever rejects to choose
	Actions    []flow.Action   `json:"actions"`
	Since      time.Time       `json:"since"`
	Due        *time.Time      `json:"due,omitempty"`
	Problem    string          `json:"problem,omitempty"`
	Votes      []vote          `json:"votes,omitempty"`
	Fields     []flow.Field    `json:"fields,omitempty"` // the form
}

// turn is a place in which several speak one after the other.
type turn struct {
	Now  string   `json:"now"`
	Rest []string `json:"rest"`
}

type vote struct {
	Who     string    `json:"who"`
	Pass    bool      `json:"pass"`
	Comment string    `json:"comment"`
	At      time.Time `json:"at"`
	By      string    `json:"by,omitempty"`      // the admin who voted in the name of who, or who stood in for them
	Voices  int       `json:"voices,omitempty"`  // how many it counts for, where more than one
	Carried string    `json:"carried,omitempty"` // the node at which it was given, which may be this one in the round before
}

func nodesOf(t ticket.Ticket, whole bool) []node {
	nodes := []node{}
	for _, n := range t.Nodes() {
		shown := node{ID: n.Node, Number: n.Number, Name: n.Name, Type: n.Type, State: n.State, Round: n.Round, Processors: api.List(n.Processors), Pending: api.List(n.Pending),
			Anyone: n.Anyone, Voices: n.Voices, Standing: n.Standing, Back: n.Back, After: api.Each(n.After, func(t flow.Turn) turn { return turn{t.Now, t.Rest} }), Actions: api.List(n.Actions), Since: n.Since.UTC(), Due: api.UTC(n.Due), Problem: n.Problem}
		if whole {
			shown.Fields = n.Fields
			shown.Votes = api.Each(n.Votes, func(v flow.Vote) vote { return vote{v.Who, v.Pass, v.Comment, v.At.UTC(), v.By, v.Voices, v.Carried} })
		}
		nodes = append(nodes, shown)
	}
	return nodes
}

// fieldsOf gives the fields that the process's forms ask for. What other families keep beside them is theirs.
func fieldsOf(t ticket.Ticket) map[string]any {
	process, err := t.Process()
	if err != nil {
		return nil
	}
	def := process.Definition()
	forms := [][]flow.Field{def.Fields}
	for _, n := range def.Nodes {
		forms = append(forms, n.Fields)
	}
	shown := map[string]any{}
	for _, f := range slices.Concat(forms...) {
		if value, ok := t.Fields[f.Key]; ok {
			shown[f.Key] = value
		}
	}
	return shown
}

// What handling and migrating take beside what seed 001 knows.
type (
	acting struct {
		Reason   *string     `json:"reason"`
		Comment  *string     `json:"comment"` // wins over reason
		Targets  []string    `json:"targets"`
		Fields   flow.Values `json:"fields"`
		OnBehalf *string     `json:"on_behalf"`
		Resend   *bool       `json:"resend"`
		Place    *string     `json:"place"`
		To       *string     `json:"to"`
		Verdict  any         `json:"virtual_confirm_comment"` // which confirm keeps in their place
	}
	migrating struct {
		Version  *int              `json:"version"`
		Nodes    map[string]string `json:"nodes"`
		DryRun   *bool             `json:"dry_run"`
		Operator *string           `json:"operator"`
		Reason   *string           `json:"reason"`
	}
)

// What stands beside the parameter object of a handling, and what in it.
var (
	outer = []string{"action", "operator", "node", "round"}
	inner = append([]string{"reason", "comment", "targets", "fields", "on_behalf", "resend", "place", "to"}, parameter.Members...)
)

// more fills in what an action of a process takes beside what seed 001 knows.
func (h handling) more(cmd *ticket.Command) error {
	if len(h.Parameter) == 0 || string(h.Parameter) == "null" {
		return nil
	}
	var p acting
	if err := api.DecodeMember("parameter", h.Parameter, &p); err != nil {
		return err
	}
	cmd.Targets, cmd.Fields, cmd.OnBehalf = p.Targets, p.Fields, api.Value(p.OnBehalf)
	cmd.Resend, cmd.Place, cmd.To = api.Value(p.Resend), flow.Place(api.Value(p.Place)), api.Value(p.To)
	var f ticket.Faults
	if cmd.Note = api.Value(p.Reason); p.Comment != nil {
		cmd.Note = *p.Comment
		f.Text("comment", cmd.Note, 0, ticket.MaxReason)
	}
	p.untaken(&f, cmd.Action)
	if err := f.Err(); err != nil {
		return err
	}
	return cmd.Misplaced() // also for tickets of before, whose rules pass it over
}

// untaken notes what says something that the action has no place for.
func (p acting) untaken(f *ticket.Faults, action ticket.Action) {
	if action != ticket.Confirm {
		return
	}
	for name, text := range map[string]*string{"comment": p.Comment, "reason": p.Reason} {
		if text := api.Value(text); text != "" && text != p.Verdict { // saying it twice loses nothing
			f.Add(name, "says something else than virtual_confirm_comment, which is what confirm keeps")
		}
	}
}

// migratedTo is the result of a migration, migrationReport that of its dry run.
type (
	migratedTo struct {
		Version int `json:"version"`
	}
	migrationReport struct {
		Possible     bool           `json:"possible"`
		From         int            `json:"from"`
		Version      int            `json:"version"`
		Reasons      []flow.Reason  `json:"reasons"` // why it is not possible
		Nodes        []migratedNode `json:"nodes"`   // where everything that was entered goes
		CurrentNodes []node         `json:"current_nodes"`
		Phase        string         `json:"phase,omitempty"` // where possible: what becomes of the ticket, as votes can decide under the new rules
		Overdue      []overdue      `json:"overdue,omitempty"`
	}
	// overdue is what happens at once after a migration, because its time has passed.
	overdue struct {
		Node  string      `json:"node"`
		Kind  string      `json:"kind"`  // wait or deadline
		Stage int         `json:"stage"` // of the deadline, from 1
		Do    flow.Remedy `json:"do,omitempty"`
		Due   time.Time   `json:"due"`
	}
	migratedNode struct {
		From  string     `json:"from"`
		To    string     `json:"to"`
		State flow.State `json:"state"`
	}
)
