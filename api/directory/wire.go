package directory

import (
	"cmp"
	"fmt"
	"time"

	"signalbox/api"
	"signalbox/api/houseapi"
	"signalbox/notice"
	"signalbox/people"
	"signalbox/ticket"
)

// MaxImport is how many persons one request keeps at most.
const MaxImport = 500

// personBody is what of a person callers give.
type personBody struct {
	Name     *string        `json:"name"`
	Email    *string        `json:"email"`
	Language *string        `json:"language"`
	TimeZone *string        `json:"time_zone"`
	Active   *bool          `json:"active"`
	Manager  *string        `json:"manager"`
	Chats    *[]people.Chat `json:"chats"`

	Letters *people.Letters `json:"letters"`
}

// apply gives the person with the members that were given.
func (in personBody) apply(p people.Person) people.Person {
	for _, part := range []struct{ from, to *string }{{in.Name, &p.Name}, {in.Email, &p.Email}, {in.Language, &p.Language}, {in.TimeZone, &p.TimeZone}, {in.Manager, &p.Manager}} {
		if part.from != nil {
			*part.to = *part.from
		}
	}
	if in.Active != nil {
		p.Active = *in.Active
	}
	if in.Chats != nil {
		p.Chats = *in.Chats
	}
	if in.Letters != nil {
		p.Letters = *in.Letters
	}
	return p
}

// check refuses webhooks that may not be called; at is in front of their members' names.
func (in personBody) check(at string, reach notice.Reach) error {
	return houseapi.Reachable(at, api.Value(in.Chats), reach)
}

// importBody is many persons, each as it is to be kept.
type importBody struct {
	Persons []struct {
		ID string `json:"id"`
		personBody
	} `json:"persons"`
}

func (in importBody) persons(reach notice.Reach) (list []people.Person, err error) {
	switch n := len(in.Persons); {
	case n == 0:
		return nil, ticket.RefuseField(ticket.Invalid, "persons", "is required and must not be empty")
	case n > MaxImport:
		return nil, ticket.RefuseField(ticket.Invalid, "persons", ticket.Over(MaxImport, "items", n))
	}
	var f ticket.Faults
	for i, p := range in.Persons {
		if f.Name(fmt.Sprintf("persons[%d].id", i), p.ID, 1, ticket.MaxName); len(f) > 0 {
			return nil, f.Err() // what became of it could be told under no name
		}
		if err := p.check(fmt.Sprintf("persons[%d].", i), reach); err != nil {
			return nil, err
		}
		list = append(list, p.apply(people.Person{ID: p.ID, Active: true}))
	}
	return list, nil
}

// imported is what became of each person, in the order in which they came.
type imported struct {
	Kept    int      `json:"kept"`
	Refused int      `json:"refused"`
	Items   []become `json:"items"`
}

type become struct {
	ID      string `json:"id"`
	Kept    bool   `json:"kept"`
	Version int64  `json:"version,omitempty"`
	Field   string `json:"field,omitempty"`
	Message string `json:"message,omitempty"`
}

func importedOf(persons []people.Person, recs []people.PersonRecord, errs []error) imported {
	out := imported{Items: []become{}}
	for i, p := range persons {
		item := become{ID: p.ID, Kept: errs[i] == nil}
		if refusal := ticket.AsError(errs[i]); refusal != nil {
			item.Field, item.Message = refusal.Field, refusal.Message
			out.Refused++
		} else {
			item.Version = recs[i].Version
			out.Kept++
		}
		out.Items = append(out.Items, item)
	}
	return out
}

// personView is a person as callers see one.
type personView struct {
	ID       string        `json:"id"`
	Name     string        `json:"name"`
	Email    string        `json:"email"`
	Language string        `json:"language"`
	TimeZone string        `json:"time_zone"`
	Active   bool          `json:"active"`
	Manager  string        `json:"manager"`
	Chats    []people.Chat `json:"chats"`

	Letters people.Letters `json:"letters"`

	Version   int64     `json:"version"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

func personViewOf(r people.PersonRecord) personView {
	letters := r.Letters
	letters.When = cmp.Or(letters.When, people.Each)
	return personView{ID: r.ID, Name: r.Name, Email: r.Email, Language: r.Language, TimeZone: r.TimeZone, Active: r.Active, Manager: r.Manager, Chats: api.List(r.Chats), Letters: letters,
		Version: r.Version, CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC()}
}

// groupBody is a group as it is to be kept.
type groupBody struct {
	Name    *string         `json:"name"`
	Members []people.Member `json:"members"`
}

// membersBody is who comes into a group, and who goes.
type membersBody struct {
	Add    []people.Member `json:"add"`
	Remove []people.Member `json:"remove"`
}

func (in membersBody) check() error {
	return houseapi.CheckMembership(people.Membership{Add: in.Add, Remove: in.Remove})
}

// groupView is a group in a list.
type groupView struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Version   int64     `json:"version"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

func groupViewOf(r people.GroupRecord) groupView {
	return groupView{ID: r.ID, Name: r.Name, Version: r.Version, CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC()}
}

// peopled is a group with its members.
type peopled struct {
	groupView
	Members []people.Member `json:"members"`
}

func peopledOf(r people.GroupRecord) peopled { return peopled{groupViewOf(r), api.List(r.Members)} }

// absenceBody says that somebody is away.
type absenceBody struct {
	Person   string   `json:"person"`
	From     string   `json:"from"`
	To       *string  `json:"to"`
	Deputy   *string  `json:"deputy"`
	Services []string `json:"services"`
	Operator *string  `json:"operator"`
}

// Subject tells who acts, for log and audit.
func (in absenceBody) Subject() api.Subject { return api.Subject{Operator: api.Value(in.Operator)} }

// ending says who ends an absence.
type ending struct {
	Operator *string `json:"operator"`
}

// Subject tells who acts, for log and audit.
func (in ending) Subject() api.Subject { return api.Subject{Operator: api.Value(in.Operator)} }

// absenceView is an absence as callers see one.
type absenceView struct {
	ID        string     `json:"id"`
	Person    string     `json:"person"`
	From      time.Time  `json:"from"`
	To        *time.Time `json:"to,omitempty"`
	Deputy    string     `json:"deputy"`
	Services  []string   `json:"services"`
	CreatedBy string     `json:"created_by"`
	CreatedAt time.Time  `json:"created_at"`
}

func absenceViewOf(r people.AbsenceRecord) absenceView {
	v := absenceView{ID: r.ID, Person: r.Person, From: r.From.UTC(), Deputy: r.Deputy, Services: api.List(r.Services), CreatedBy: r.CreatedBy, CreatedAt: r.CreatedAt.UTC()}
	if !r.To.IsZero() {
		v.To = api.UTC(&r.To)
	}
	return v
}
