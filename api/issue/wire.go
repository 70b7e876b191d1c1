package issue

import (
	"encoding/json"
	"time"

	"signalbox/api"
	"signalbox/api/houseapi"
	"signalbox/flow"
	"signalbox/notice"
	"signalbox/ticket"

	"github.com/gofiber/fiber/v2"
)

// opening is what a caller asks to be opened. The first five members are seed 000's.
type opening struct {
	Origin      *string           `json:"origin"`
	Title       *string           `json:"title"`
	Description *string           `json:"description"`
	Tag         []string          `json:"tag"`
	Relations   []openingRelation `json:"relations"`
	Service     *string           `json:"service"`
	Assignee    *string           `json:"assignee"`
	CallbackURL *string           `json:"callback_url"`

	Opener          *string             `json:"opener"`
	Fields          flow.Values         `json:"fields"`           // the service's opening form, filled in
	StateProcessors map[string][]string `json:"state_processors"` // whom to ask, by node
}

type openingRelation struct {
	Type    *string   `json:"type"`
	Content *[]string `json:"content"`
}

// view is an issue as callers see it. The first five members are seed 000's, in its order.
type view struct {
	Origin      string            `json:"origin"`
	Title       string            `json:"title"`
	Description string            `json:"description"`
	Tag         []string          `json:"tag"`
	Relations   []ticket.Relation `json:"relations"`
	summary
	ServiceVersion int            `json:"service_version"`
	Opener         string         `json:"opener,omitempty"`
	Fields         map[string]any `json:"fields,omitempty"`
	SLA            []promise      `json:"sla,omitempty"`
	Links          []link         `json:"links,omitempty"`
	Rating         *rating        `json:"rating,omitempty"`
}

// rating is what somebody thought of how an issue was dealt with (itsm family).
type rating struct {
	Stars    int       `json:"stars"`
	Operator string    `json:"operator"`
	Comments string    `json:"comments"`
	At       time.Time `json:"at"`
}

// promise is how an issue stands with one of its SLAs.
type promise struct {
	Name       string     `json:"name"`
	State      string     `json:"state"`             // running, paused or over
	Target     int64      `json:"target_seconds"`    // of working time where working is true
	Used       int64      `json:"used_seconds"`      // when it last began to run or stood still
	Remaining  int64      `json:"remaining_seconds"` // likewise; 0 where it is used up
	Working    bool       `json:"working"`
	Calendar   string     `json:"calendar,omitempty"`
	DueAt      *time.Time `json:"due_at,omitempty"` // left out while it stands still
	WarnedAt   *time.Time `json:"warned_at,omitempty"`
	BreachedAt *time.Time `json:"breached_at,omitempty"`
	OverAt     *time.Time `json:"over_at,omitempty"`
}

func promiseOf(c flow.SLAClock) promise {
	p := promise{Name: c.Name, State: "running", Target: int64(c.Target / time.Second), Used: int64(c.Used() / time.Second),
		Remaining: int64(max(0, c.Target-c.Used()) / time.Second), Working: c.Working, DueAt: api.UTC(c.Due), WarnedAt: api.UTC(c.Warned), BreachedAt: api.UTC(c.Breached), OverAt: api.UTC(c.Over)}
	if c.Working {
		p.Calendar = c.Calendar
	}
	switch {
	case c.Over != nil:
		p.State = "over"
	case c.Since == nil:
		p.State = "paused"
	}
	return p
}

// link is a case in an external system that has told of itself (exception family).
type link struct {
	System    string        `json:"system"`
	Issue     string        `json:"issue"`
	Phase     ticket.Status `json:"phase"` // as the system said last, in our words
	DueAt     *time.Time    `json:"due_at,omitempty"`
	UpdatedAt *time.Time    `json:"updated_at,omitempty"` // over there
}

func linkOf(l ticket.Link) link {
	return link{System: l.System, Issue: l.Issue, Phase: l.Status, DueAt: api.UTC(l.DueAt), UpdatedAt: api.UTC(l.UpdatedAt)}
}

// summary is what one issue and a line of the list have in common beside what seed 000 says.
type summary struct {
	ID           string    `json:"id"`
	UUID         string    `json:"uuid"`
	Status       string    `json:"status"`
	Phase        string    `json:"phase"`
	Service      string    `json:"service"`
	CurrentNodes []node    `json:"current_nodes"`
	Assignee     string    `json:"assignee"`
	CreatedAt    time.Time `json:"created_at"`
	UpdatedAt    time.Time `json:"updated_at"`

	DueAt    *time.Time `json:"due_at,omitempty"` // when the first of its SLAs that are not over has to be met
	SLAState string     `json:"sla_state,omitempty"`
}

// line is an issue in a list: without the texts and contents that may be long.
type line struct {
	Origin string   `json:"origin"`
	Title  string   `json:"title"`
	Tag    []string `json:"tag"`
	summary
	Stuck []standstill `json:"stuck,omitempty"` // in a list of those that are
}

// standstill is why an issue cannot go on without somebody.
type standstill struct {
	Cause   ticket.Cause `json:"cause"`
	Since   time.Time    `json:"since"`
	Node    string       `json:"node,omitempty"`
	Problem string       `json:"problem"`
}

func standstillOf(s ticket.Stuck) standstill {
	return standstill{s.Cause, s.Since.UTC(), s.Node, s.Problem}
}

func viewOf(r ticket.Record) view {
	t, rated := r.Ticket, r.Rating
	v := view{Origin: t.Origin, Title: t.Title, Description: t.Description, Tag: api.List(t.Tags), Relations: api.List(r.Relations), summary: summaryOf(t),
		ServiceVersion: t.Version, Opener: t.Opener, Fields: fieldsOf(t), SLA: api.Each(t.Position.SLA, promiseOf), Links: api.Each(t.Links, linkOf)}
	if rated.Stars > 0 {
		v.Rating = &rating{rated.Stars, rated.Operator, rated.Comments, rated.At.UTC()}
	}
	v.CurrentNodes = nodesOf(t, true)
	for i := range v.Relations {
		v.Relations[i].Content = api.List(v.Relations[i].Content)
	}
	return v
}

func summaryOf(t ticket.Ticket) summary {
	return summary{
		ID: t.Number, UUID: t.UUID, Status: t.Status.Word(), Phase: t.Phase(), Service: t.Service, CurrentNodes: nodesOf(t, false),
		Assignee: t.Assignee, CreatedAt: t.CreatedAt.UTC(), UpdatedAt: t.UpdatedAt.UTC(),
		DueAt: api.UTC(t.DueAt()), SLAState: t.SLAState(),
	}
}

func lineOf(t ticket.Ticket) line {
	return line{Origin: t.Origin, Title: t.Title, Tag: api.List(t.Tags), summary: summaryOf(t)}
}

type message struct {
	ID        string    `json:"id"`
	Author    string    `json:"author"`
	Content   string    `json:"content"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

func messageOf(m ticket.MessageRecord) message {
	return message{ID: m.ID, Author: m.Author, Content: m.Content, CreatedAt: m.CreatedAt.UTC(), UpdatedAt: m.UpdatedAt.UTC()}
}

// event is an entry of the timeline that happened to the issue, in the words of the house.
type event struct {
	Seq     int64          `json:"seq"`
	At      time.Time      `json:"at"`
	Type    ticket.Type    `json:"type"`
	Actor   string         `json:"actor"`
	Channel ticket.Channel `json:"door"`
	Before  ticket.Change  `json:"before"`
	After   ticket.Change  `json:"after"`
	Note    string         `json:"note"`
	Why     string         `json:"why,omitempty"` // of an ending: what after.approve_result rests on

	ProcessLog []flow.LogEntry `json:"happenings,omitempty"` // what went on in the process, in order
}

// alert is an entry that is ours: what went wrong with a delivery that tells of the issue. It has no seq, which events alone have.
type alert struct {
	ID      string           `json:"id"`
	At      time.Time        `json:"at"`
	Type    notice.AlertKind `json:"type"`
	Actor   string           `json:"actor"`
	Channel ticket.Channel   `json:"door"`
	Before  ticket.Change    `json:"before"` // empty, as it changed nothing
	After   ticket.Change    `json:"after"`  // likewise
	Note    string           `json:"note"`   // why

	Subscription string `json:"subscription"` // a notification of this issue, or a lasting subscription
	Delivery     string `json:"delivery"`     // that was tried
	Host         string `json:"host"`
}

func entryOf(e notice.Entry) any {
	if a := e.Alert; a != nil {
		return alert{ID: a.ID, At: a.At.UTC(), Type: a.Kind, Actor: notice.OurSource, Channel: ticket.ChannelSystem, Note: a.Reason,
			Subscription: a.Subscription, Delivery: a.Delivery, Host: a.Host}
	}
	return eventOf(*e.Event)
}

// eventOf leaves out what is not of the event but around it: the definition that a ticket runs through, which can be read by its version.
func eventOf(e ticket.Event) event {
	if o := e.After.Opening; o != nil {
		shown := *o
		shown.Definition = nil
		if o.Callback != nil {
			// Headers are for the address alone: they may carry a credential of its owner's.
			callback := *o.Callback
			callback.Headers, callback.Encrypted = nil, ""
			shown.Callback = &callback
		}
		e.After.Opening = &shown
	}
	e.After.States = unkept(e.After.States)
	if p := e.After.Pinned; p != nil {
		shown := *p
		shown.Definition, shown.Position.Nodes = nil, unkept(p.Position.Nodes)
		e.After.Pinned = &shown
	}
	if r := e.Before.Relation; r != nil && r.Content == nil {
		e.Before.Relation = &ticket.Relation{Type: r.Type, Content: []string{}}
	}
	return event{Seq: e.Seq, At: e.At.UTC(), Type: e.Type, Actor: e.Actor, Channel: e.Channel, Before: e.Before, After: e.After, Note: e.Note, Why: e.Why, ProcessLog: e.ProcessLog}
}

// unkept leaves out what requests were answered that nothing could be made of: it is for their nodes alone.
func unkept(states []flow.NodeState) []flow.NodeState {
	return api.Each(states, func(s flow.NodeState) flow.NodeState {
		s.Kept = nil
		return s
	})
}

// address is a notification that was registered.
type address struct {
	ID        string                       `json:"id"`
	URL       string                       `json:"url"`
	Person    string                       `json:"person,omitempty"`  // who is told in this way
	Way       notice.Format                `json:"way,omitempty"`     // how
	Timeout   int                          `json:"timeout,omitempty"` // seconds; left out where it has none of its own
	TLS       *notice.Trust                `json:"tls,omitempty"`     // what may be seen of it
	State     notice.SubscriptionState     `json:"state"`
	CreatedAt time.Time                    `json:"created_at"`
	DroppedAt *time.Time                   `json:"dropped_at,omitempty"`
	Reason    string                       `json:"reason,omitempty"` // why it was dropped
	Counts    map[notice.DeliveryState]int `json:"counts"`           // of its deliveries, every state by name
}

var deliveryStates = []notice.DeliveryState{notice.Pending, notice.Retrying, notice.Sent, notice.Failed, notice.Held, notice.Cancelled, notice.Gathering, notice.Digested}

func addressOf(r notice.Registration) address {
	a := address{ID: r.ID, URL: r.URL, Timeout: int(r.Timeout / time.Second), TLS: houseapi.TrustOf(r.Subscription), State: r.State, Reason: r.Reason, CreatedAt: r.CreatedAt.UTC(), Counts: map[notice.DeliveryState]int{}}
	if r.Format.Letter() {
		a.Person, a.Way = r.Person, r.Format
	}
	if r.State == notice.Dropped {
		a.DroppedAt = api.UTC(r.EndedAt)
	}
	for _, state := range deliveryStates {
		a.Counts[state] = r.Counts[state]
	}
	return a
}

// Bodies of the other calls.
type (
	relating struct {
		Type    *string   `json:"type"`
		Content *[]string `json:"content"`
	}
	registering struct {
		URL *string `json:"url"`
		houseapi.Reaching
	}
	setting struct {
		Status   *string `json:"status"`
		Operator *string `json:"operator"`
		Reason   *string `json:"reason"`
	}
	saying struct {
		Author  *string `json:"author"`
		Content *string `json:"content"`
	}
	handling struct {
		Action    *string         `json:"action"`
		Operator  *string         `json:"operator"`
		Node      *string         `json:"node"`
		Round     *int            `json:"round"`
		Parameter json.RawMessage `json:"parameter"`
		Others    api.Others      `json:",embed"`
	}
)

// Whom bodies name as acting.
func (in opening) Subject() api.Subject   { return api.Subject{Operator: api.Value(in.Opener)} }
func (in setting) Subject() api.Subject   { return api.Subject{Operator: api.Value(in.Operator)} }
func (in saying) Subject() api.Subject    { return api.Subject{Operator: api.Value(in.Author)} }
func (in handling) Subject() api.Subject  { return api.Subject{Operator: api.Value(in.Operator)} }
func (in migrating) Subject() api.Subject { return api.Subject{Operator: api.Value(in.Operator)} }

// subject reads whom a request names that was refused before its body was taken; see api.Family.
func subject(c *fiber.Ctx) api.Subject {
	number, _ := api.Param(c, "id")
	if person, err := api.Param(c, "person"); err == nil && person != "" {
		return api.Subject{Operator: person, Number: number}
	}
	return api.Subject{Operator: api.Named(c, "operator", "author", "opener"), Number: number}
}
