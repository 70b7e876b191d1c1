package ticket

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"signalbox/flow"
	"signalbox/internal/jsonsize"
)

// Opening is what a ticket starts with.
type Opening struct {
	Identity
	App         string      `json:"app"`
	Service     string      `json:"service"`
	Version     int         `json:"version"`
	Origin      string      `json:"origin"`
	Title       string      `json:"title"`
	Description string      `json:"description,omitempty"`
	Tags        []string    `json:"tags,omitempty"`
	Opener      string      `json:"opener,omitempty"`
	Fields      flow.Values `json:"fields,omitempty"`
	Relations   []Relation  `json:"relations,omitempty"`
	Callback    *Callback   `json:"callback,omitempty"`

	Definition *flow.Definition    `json:"definition,omitempty"` // pinned; nil where the service is a built-in one
	Named      map[string][]string `json:"named,omitempty"`      // whom the caller named, by node id
	Followers  []string            `json:"followers,omitempty"`  // who wants to see it
	Types      []string            `json:"mtm_types,omitempty"`  // the words taken for a solution's mtm_type; none: any
}

// Callback is an address that gets this ticket's notifications from the start. Format and profile are package notice's words.
type Callback struct {
	URL       string            `json:"url"`
	Format    string            `json:"format"`
	Profile   string            `json:"profile"`
	Headers   map[string]string `json:"headers,omitempty"` // sent along with every delivery
	Encrypted string            `json:"sealed,omitempty"`  // the same, once they are encrypted; then Headers is empty
}

// Change is the part of a ticket that an event touches; what is nil or empty is untouched.
type Change struct {
	Opening   *Opening   `json:"opening,omitempty"`
	Status    Status     `json:"status,omitempty"`
	Suspended *bool      `json:"suspended,omitempty"`
	Assignee  *string    `json:"assignee,omitempty"`
	Reason    *string    `json:"reason,omitempty"`
	Solution  *Solution  `json:"solution,omitempty"`
	Verdict   *Verdict   `json:"verdict,omitempty"`
	Relation  *Relation  `json:"relation,omitempty"`
	Message   *Message   `json:"message,omitempty"`
	Statement *Statement `json:"statement,omitempty"` // why Link changes; never in Before
	Link      *Link      `json:"link,omitempty"`

	States []flow.NodeState `json:"states,omitempty"` // of the process's nodes, each whole; never in Before
	SLA    []flow.SLAClock  `json:"sla,omitempty"`    // those that changed, each whole; never in Before
	Fields flow.Values      `json:"fields,omitempty"` // those that were set; never in Before
	Pinned *Pinned          `json:"pinned,omitempty"` // the version alone in Before
	Rules  flow.Rules       `json:"rules,omitempty"`  // by which the ticket is decided from now on; never in Before

	ApproveResult *bool `json:"approve_result,omitempty"` // of an ending; never in Before
}

// Event is one thing that did happen. Before holds what After replaces, as far as the ticket itself remembers it; the read model
// completes Before with earlier messages and contents.
type Event struct {
	Seq        int64     `json:"seq"` // 1, 2, 3… without a gap
	At         time.Time `json:"at"`  // UTC, to the microsecond
	Type       Type      `json:"type"`
	Actor      string    `json:"actor"` // the operator, or the app where no person was named
	Channel    Channel   `json:"door"`
	App        string    `json:"app,omitempty"`
	Note       string    `json:"note,omitempty"`
	Why        string    `json:"why,omitempty"`       // what After.ApproveResult rests on
	Operation  string    `json:"operation,omitempty"` // the request that caused it
	Hops       int       `json:"hops,omitempty"`      // through how many installations of ours came what caused it; see Ticket
	Generation int       `json:"life,omitempty"`      // the generation of the ticket it happened in
	Before     Change    `json:"before"`
	After      Change    `json:"after"`

	ProcessLog []flow.LogEntry `json:"happenings,omitempty"` // what went on in the process, in order
}

// Labels are what the channels call the event. One of a type that this build does not know is called by its type.
func (e Event) Labels() Labels {
	first := ""
	if len(e.ProcessLog) > 0 {
		first = e.ProcessLog[0].Kind
	}
	return LabelsOf(e.Type, first)
}

// LabelsOf are what the channels call an event of the type whose process log begins with an entry of this kind; empty: it has none.
func LabelsOf(t Type, first string) Labels { return t.labels(first) }

// Definition gives the definition of the process that the ticket runs through from this event on, nil for what is built in; ok is false where the event does not say which.
func (e Event) Definition() (def *flow.Definition, ok bool) {
	switch {
	case e.After.Pinned != nil:
		return e.After.Pinned.Definition, true
	case e.After.Opening != nil:
		return e.After.Opening.Definition, true
	}
	return nil, false
}

// Evolve gives the ticket as it is after the event. It cannot refuse and is the only thing that changes a ticket; the ticket it is given
// stays as it was.
func Evolve(t Ticket, e Event) Ticket {
	// The time moves with every event, also with one that changes nothing else: no later event may come before it.
	t.Seq, t.Generation, t.UpdatedAt = e.Seq, e.Generation, e.At
	if e.Type == RefusedCmd {
		return t
	}
	t.Hops = e.Hops
	c := e.After
	if o := c.Opening; o != nil {
		t.Identity, t.Channel, t.App, t.Service, t.Version = o.Identity, e.Channel, o.App, o.Service, o.Version
		t.Origin, t.Title, t.Description, t.Opener = o.Origin, o.Title, o.Description, o.Opener
		t.Tags, t.Fields, t.CreatedAt = slices.Clone(o.Tags), o.Fields, e.At
		t.Definition, t.Named, t.Followers, t.Types = o.Definition, o.Named, slices.Clone(o.Followers), o.Types
		t.Relations = nil
		for _, r := range o.Relations {
			t.Relations = append(t.Relations, r.Summary())
		}
	}
	if c.Status != "" {
		t.Status = c.Status
		t.ApproveResult = c.ApproveResult
	}
	if c.Suspended != nil {
		t.Suspended = *c.Suspended
	}
	if c.Assignee != nil {
		t.Assignee = *c.Assignee
	}
	if c.Reason != nil {
		t.Reason = *c.Reason
	}
	if c.Solution != nil {
		at := e.At
		t.Solution, t.SolvedAt = c.Solution, &at
	}
	if c.Verdict != nil {
		t.Verdict = c.Verdict
	}
	if c.Relation != nil {
		head := c.Relation.Summary()
		t.Relations = put(t.Relations, head, func(h RelationSummary) bool { return h.Type == head.Type })
	}
	if c.Message != nil {
		head := c.Message.Summary()
		t.Messages = put(t.Messages, head, func(h MessageSummary) bool { return h.ID == head.ID })
	}
	if c.Pinned != nil {
		t = t.pinned(*c.Pinned)
	}
	if len(c.States) > 0 {
		t.Position = flow.Apply(t.Position, c.States)
	}
	t.Position = flow.ApplySLA(t.Position, c.SLA)
	t.Rules = max(t.Rules, c.Rules)
	t.Fields = merged(t.Fields, c.Fields)
	if c.Link != nil {
		t.Links = put(t.Links, *c.Link, func(l Link) bool { return l.System == c.Link.System && l.Issue == c.Link.Issue })
	}
	return t
}

// Fold applies the events one after the other.
func Fold(t Ticket, events []Event) Ticket {
	for _, e := range events {
		t = Evolve(t, e)
	}
	return t
}

// Same reports whether two events are one: what a workflow decided, and what the database keeps of it. Earlier messages and contents of relations are left
// out of the comparison, which the read model alone completes (see Event).
func Same(a, b Event) bool {
	x, err := json.Marshal(a.asDecided())
	if err != nil {
		return false
	}
	y, err := json.Marshal(b.asDecided())
	return err == nil && bytes.Equal(x, y)
}

// asDecided is the event without what the read model adds to it.
func (e Event) asDecided() Event {
	if m := e.Before.Message; m != nil {
		e.Before.Message = &Message{ID: m.ID}
	}
	if r := e.Before.Relation; r != nil {
		e.Before.Relation = &Relation{Type: r.Type}
	}
	return e
}

// put replaces the first match or appends, in a copy: a ticket shares its slices with those it came from.
func put[T any](list []T, item T, same func(T) bool) []T {
	list = slices.Clone(list)
	if i := slices.IndexFunc(list, same); i >= 0 {
		list[i] = item
		return list
	}
	return append(list, item)
}

// Summary is what a ticket remembers of the relation.
func (r Relation) Summary() RelationSummary {
	return RelationSummary{Type: r.Type, Count: len(r.Content), Digest: digest(r.Content)}
}

// Summary is what a ticket remembers of the message.
func (m Message) Summary() MessageSummary {
	return MessageSummary{ID: m.ID, Digest: digest([]string{m.Author, m.Content})}
}

// fits refuses an event that could not be carried as one payload; field is where its bulk comes from.
func (e *Event) fits(field string) (most int, err error) {
	most, known := jsonsize.AtMost(e)
	if known && most <= MaxEvent {
		return most, nil
	}
	raw, err := json.Marshal(e)
	if err != nil {
		return most, RefuseField(Invalid, field, "must be plain JSON")
	}
	if len(raw) > MaxEvent {
		return most, RefuseField(Invalid, field, "is too large: all together "+Over(MaxEvent, "bytes as JSON", len(raw)))
	}
	return most, nil
}

// digest tells two texts apart without keeping them. JSON keeps the bounds between the parts.
func digest(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic("ticket: text that does not marshal: " + err.Error()) // strings and lists of strings always do
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:16])
}
