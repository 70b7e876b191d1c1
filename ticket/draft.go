package ticket

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Draft is what a caller asks us to open, in the words of the house. Families with narrower limits check those themselves.
type Draft struct {
	Door        Door
	App         string // code of the calling app
	Service     string // which process; empty means ServiceIncident
	Origin      string // the system that reports the case
	Title       string
	Description string
	Tags        []string
	Relations   []Relation
	Opener      string // the person who opens it, if the family names one
	Assignee    string
	Fields      map[string]any // anything that JSON can say; a number keeps what a float64 can hold
	CallbackURL string         // checked by the family's wing, which knows the address rules
}

// Check tells everything that is wrong with the draft, in the issue family's spelling.
func (d Draft) Check() error {
	var f Faults
	f.Name("origin", d.Origin, 1, MaxName)
	f.Name("title", d.Title, 1, MaxTitle)
	f.Text("description", d.Description, 0, MaxDescription)
	if len(d.Tags) > MaxTags {
		f.Add("tag", fmt.Sprintf("must have at most %d items", MaxTags))
	} else {
		for i, tag := range d.Tags {
			f.Name(fmt.Sprintf("tag[%d]", i), tag, 1, MaxTag)
		}
	}
	if len(d.Relations) > MaxRelations {
		f.Add("relations", fmt.Sprintf("must have at most %d types", MaxRelations))
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
			return f.Err()
		}
	}
	if total > MaxRelated {
		f.Add("relations", fmt.Sprintf("must have at most %d items in all", MaxRelated))
	}
	if _, ok := processes[d.service()]; !ok {
		f.Add("service", fmt.Sprintf("there is no service %q", d.Service))
	}
	f.Name("opener", d.Opener, 0, MaxName)
	f.Name("assignee", d.Assignee, 0, MaxName)
	f.Name("callback_url", d.CallbackURL, 0, MaxURL)
	f.fields(d.Fields)
	return f.Err()
}

func (d Draft) service() string {
	if d.Service == "" {
		return ServiceIncident
	}
	return d.Service
}

// Open decides the events a ticket starts with. They are the workflow's input, so that the workflow and the read model fold the same
// facts. It refuses what Check refuses, and what is too large in all.
func Open(d Draft, id Identity, operation string, at time.Time) ([]Event, error) {
	if err := d.Check(); err != nil {
		return nil, err
	}
	var relations []Relation
	for _, r := range d.Relations {
		relations = append(relations, Relation{Type: r.Type, Content: distinct(r.Content)})
	}
	var tags []string
	if len(d.Tags) > 0 {
		tags = distinct(d.Tags)
	}
	process := processes[d.service()]
	change := Change{
		Status: process.first,
		Opening: &Opening{
			Identity: id, App: d.App, Service: d.service(), Version: process.version, Origin: d.Origin, Title: d.Title,
			Description: d.Description, Tags: tags, Opener: d.Opener, Fields: d.Fields,
			Relations: relations, CallbackURL: d.CallbackURL,
		},
	}
	if d.Assignee != "" {
		change.Assignee = &d.Assignee
	}
	actor := d.Opener
	if actor == "" {
		actor = d.App
	}
	e := Event{Seq: 1, At: stamp(at), Type: Opened, Actor: actor, Door: d.Door, App: d.App, Operation: operation, After: change}
	if err := e.fits("relations"); err != nil {
		return nil, err
	}
	return []Event{e}, nil
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
		f.Add("fields", fmt.Sprintf("must have at most %d bytes as JSON", MaxFields))
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
