package ticket

import (
	"fmt"
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
	Fields      map[string]any
	CallbackURL string // checked by the family's wing, which knows the address rules
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
	return f.Err()
}

func (d Draft) service() string {
	if d.Service == "" {
		return ServiceIncident
	}
	return d.Service
}

// Open decides the events a ticket starts with. They are the workflow's input, so that the workflow and the read model fold the same
// facts. It refuses what Check refuses.
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
	return []Event{{Seq: 1, At: stamp(at), Type: Opened, Actor: actor, Door: d.Door, App: d.App, Operation: operation, After: change}}, nil
}

// stamp gives a time as every store and every wire keeps it: UTC, to the microsecond.
func stamp(at time.Time) time.Time { return at.UTC().Truncate(time.Microsecond) }
