package ticket

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"signalbox/flow"
)

// Draft is what a caller asks us to open, whatever the family. Families with narrower limits check those themselves.
type Draft struct {
	Channel     Channel
	App         string // code of the calling app
	Service     string // which process; empty means ServiceIncident
	Origin      string // the system that reports the case
	Title       string
	Description string
	Tags        []string
	Relations   []Relation
	Opener      string // the person who opens it, if the family names one
	Hops        int    // of the request: see Event
	Assignee    string
	Fields      flow.Values // anything that JSON can say; a number keeps its digits
	Callback    *Callback   // its address is checked by the family, which knows the address rules

	Definition *flow.Definition    // of a published service; nil where the service is a built-in one
	Form       flow.Values         // what the service's opening form asks for; checked, and kept among the fields
	Named      map[string][]string // whom the caller names, by node id
	Followers  []string            // who wants to see it; at most MaxFollowers
	Facts      flow.Facts          // about people, as far as the process needs them when it begins
	Types      []string            // the words taken for a solution's mtm_type, as the settings of the day have them; none: any
}

// CheckedDraft is a draft that Check found nothing wrong with, and what checking it worked out. Only Check makes one.
type CheckedDraft struct {
	draft   Draft
	process *flow.Process
	form    flow.Values // the opening form as it is kept, defaults filled in
}

// Check tells everything that is wrong with the draft, in the issue family's spelling: an *Error of all faults. The draft must not be
// changed afterwards.
func (d Draft) Check() (CheckedDraft, error) {
	checked := CheckedDraft{draft: d}
	var f Faults
	f.Name("origin", d.Origin, 1, MaxName)
	f.Name("title", d.Title, 1, MaxTitle)
	f.Text("description", d.Description, 0, MaxDescription)
	if len(d.Tags) > MaxTags {
		f.Add("tag", Over(MaxTags, "items", len(d.Tags)))
	} else {
		for i, tag := range d.Tags {
			f.Name(fmt.Sprintf("tag[%d]", i), tag, 1, MaxTag)
		}
	}
	if len(d.Relations) > MaxRelations {
		f.Add("relations", Over(MaxRelations, "types", len(d.Relations)))
	}
	types, total := map[string]bool{}, 0
	for i, r := range d.Relations {
		field := fmt.Sprintf("relations[%d]", i)
		f.relation(field, r)
		if types[r.Type] {
			f.Add(field+".type", fmt.Sprintf("the type %q is there twice", r.Type))
		}
		types[r.Type] = true
		total += len(distinct(r.Content))
		if len(f) >= maxFaults {
			return CheckedDraft{}, f.Err()
		}
	}
	if total > MaxRelated {
		f.Add("relations", Over(MaxRelated, "items in all", total))
	}
	checked.fill(&f)
	if d.Definition != nil {
		f.definition("service", *d.Definition)
	}
	f.named(d.Named)
	if len(d.Followers) > MaxFollowers {
		f.Add("followers", Over(MaxFollowers, "items", len(d.Followers)))
	} else {
		for i, person := range d.Followers {
			f.Name(fmt.Sprintf("followers[%d]", i), person, 1, MaxName)
		}
	}
	f.Name("opener", d.Opener, 0, MaxName)
	f.Name("assignee", d.Assignee, 0, MaxName)
	if d.Callback != nil {
		f.Name("callback_url", d.Callback.URL, 1, MaxURL)
	}
	f.fields(merged(d.Fields, d.Form))
	if err := f.Err(); err != nil {
		return CheckedDraft{}, err
	}
	return checked, nil
}

// fill finds the service's process and checks what was filled into its opening form.
func (d *CheckedDraft) fill(f *Faults) {
	if d.draft.Definition == nil && flow.Builtin()[d.draft.service()] == nil {
		f.Add("service", fmt.Sprintf("there is no service %q", d.draft.Service))
		return
	}
	var err error
	if d.process, err = processOf(d.draft.service(), d.draft.Definition); err != nil {
		f.Add("service", "the service's definition does not compile")
		return
	}
	d.form, err = flow.Fill(d.process.Definition().Fields, d.draft.Form)
	for _, err := range []error{err, d.process.OutOfRange(d.draft.Form)} {
		if err == nil {
			continue
		}
		for _, why := range AsError(err).Each() {
			f.Add("fields."+why.Field, why.Message)
		}
	}
}

func (d Draft) service() string {
	return cmp.Or(d.Service, ServiceIncident)
}

// Open checks a draft and decides the events a ticket starts with: see CheckedDraft.Open.
func Open(d Draft, id Identity, operation string, at time.Time) ([]Event, error) {
	checked, err := d.Check()
	if err != nil {
		return nil, err
	}
	return checked.Open(id, operation, at)
}

// LooksUp reports whether opening a ticket with the draft can need facts about people.
func (d Draft) LooksUp() bool {
	process, err := processOf(d.service(), d.Definition)
	return err == nil && process.LooksUp()
}

// Service is the key of the service that the ticket will run through.
func (c CheckedDraft) Service() string { return c.draft.service() }

// Needs gives what has to be known about people before a ticket can be opened with the draft; nil: nothing.
func (c CheckedDraft) Needs(at time.Time) (need *flow.Need) {
	if !c.process.LooksUp() {
		return nil
	}
	_, err := c.Open(Identity{}, "", at)
	errors.As(err, &need)
	return need
}

// Open decides the events a ticket starts with, at that moment and for that operation; id is given by the caller. They are the workflow's
// input, so that the workflow and the read model fold the same facts. It refuses, as Invalid, what is too large in all.
func (c CheckedDraft) Open(id Identity, operation string, at time.Time) ([]Event, error) {
	d := c.draft
	var relations []Relation
	for _, r := range d.Relations {
		relations = append(relations, Relation{Type: r.Type, Content: distinct(r.Content)})
	}
	var tags []string
	if len(d.Tags) > 0 {
		tags = distinct(d.Tags)
	}
	change := Change{
		Status: Triggered,
		Rules:  flow.RulesNow,
		Opening: &Opening{
			Identity: id, App: d.App, Service: d.service(), Version: c.process.Definition().Version, Origin: d.Origin, Title: d.Title,
			Description: d.Description, Tags: tags, Opener: d.Opener, Fields: merged(d.Fields, c.form),
			Relations: relations, Callback: d.Callback, Definition: d.Definition, Named: d.Named,
			Followers: d.Followers, Types: d.Types,
		},
	}
	if d.Assignee != "" {
		change.Assignee = &d.Assignee
	}
	e := Event{Seq: 1, At: stamp(at), Type: Opened, Actor: cmp.Or(d.Opener, d.App), Channel: d.Channel, App: d.App, Operation: operation, Hops: d.Hops,
		After: change}
	return e.begin(at, d.Facts)
}

// begin sets the process going. One that is over at once makes an event of its own of that, for whoever is told of endings.
func (e Event) begin(at time.Time, facts flow.Facts) ([]Event, error) {
	t := Evolve(Ticket{}, e)
	t.facts = facts
	began, err := t.step(flow.Start{}, Opened, e.At)
	if err != nil {
		return nil, err
	}
	ended := Status("")
	if to := began.After.Status; to != "" && !to.Open() {
		ended = to
	} else if to != "" {
		e.After.Status = to
	}
	if began.After.Assignee != nil {
		e.After.Assignee = began.After.Assignee
	}
	e.After.States, e.After.Fields, e.After.SLA, e.ProcessLog = began.After.States, began.After.Fields, began.After.SLA, began.ProcessLog
	if _, err := e.fits("relations"); err != nil {
		return nil, err
	}
	if ended == "" {
		return []Event{e}, nil
	}
	last := Evolve(Ticket{}, e).next(Event{Type: Finished, Before: Change{Status: e.After.Status}, After: Change{Status: ended, ApproveResult: began.After.ApproveResult},
		Why: began.Why},
		Command{Channel: ChannelSystem, App: string(ChannelSystem), Operation: e.Operation, Hops: e.Hops}, at)
	return []Event{e, last}, nil
}

// named checks whom a caller names for nodes.
func (f *Faults) named(named map[string][]string) {
	if raw, err := json.Marshal(named); err != nil || len(raw) > MaxNamed {
		f.Add("state_processors", Over(MaxNamed, "bytes as JSON", len(raw)))
		return
	}
	for _, node := range slices.Sorted(maps.Keys(named)) {
		if len(named[node]) == 0 {
			f.Add("state_processors."+node, "must name somebody")
		}
		if len(named[node]) > flow.MaxItems {
			f.Add("state_processors."+node, Over(flow.MaxItems, "persons", len(named[node])))
			continue
		}
		for _, person := range named[node] {
			f.Name("state_processors."+node, person, 1, MaxName)
		}
	}
}

// fields checks what only some families ask for: that it can be kept by every store, and how much it is.
func (f *Faults) fields(fields map[string]any) {
	if len(fields) == 0 {
		return
	}
	raw, err := json.Marshal(fields)
	switch {
	case err != nil:
		f.Add("fields", "must be plain JSON")
		return
	case len(raw) > MaxFields:
		f.Add("fields", Over(MaxFields, "bytes as JSON", len(raw)))
		return
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	for {
		token, err := decoder.Token()
		if err != nil {
			return
		}
		if text, ok := token.(string); ok && strings.ContainsRune(text, 0) {
			f.Add("fields", "must not contain the character NUL")
			return
		}
	}
}

// stamp gives a time as every store and every wire keeps it: UTC, to the microsecond.
func stamp(at time.Time) time.Time { return at.UTC().Truncate(time.Microsecond) }
