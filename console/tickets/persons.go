package tickets

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"signalbox/console/forms"
	"signalbox/console/page"
	"signalbox/flow"
	"signalbox/people"
	"signalbox/ticket"
)

// Directory tells who is in the directory of a tenant; of one that has nobody in it nothing is asked, and nobody is warned.
type Directory interface {
	// Persons lists persons in the order of their ids.
	Persons(ctx context.Context, tenant string, f people.PersonFilter, cursor string, limit int) (list []people.PersonRecord, next string, err error)
	// PersonsOf gives by id those that there are, out of some.
	PersonsOf(ctx context.Context, tenant string, ids []string) (map[string]people.PersonRecord, error)
}

// suggestedPersons is how many persons a page suggests where it takes the id of one.
const suggestedPersons = 20

const (
	personsList = "persons"           // the id of the list of them
	findPersons = "/directory/search" // gives others for the list, as somebody types
)

// suggest has the fields that take ids of persons suggest some of the tenant's directory, who are given for the page's list.
func (s *Room) suggest(v *page.Visit, list ...*formView) (out []forms.Choice, err error) {
	var fields []*forms.Input
	for _, f := range list {
		for i := range f.Inputs {
			if f.Inputs[i].Persons {
				fields = append(fields, &f.Inputs[i])
			}
		}
	}
	if len(fields) == 0 || s.Directory == nil {
		return nil, nil
	}
	active := true
	found, _, err := s.Directory.Persons(v.Until, v.Who.App.Tenant, people.PersonFilter{Active: &active}, "", suggestedPersons)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	for _, p := range found {
		if forms.Nameable(p.ID) && page.Listed(p.ID) == p.ID { // others are found as somebody types, as each field takes them
			out = append(out, forms.Choice{Key: p.ID, Name: p.Name})
		}
	}
	for _, in := range fields {
		in.List, in.Finds = personsList, findPersons
		query := url.Values{}
		if in.Several {
			query.Set("several", "1")
		}
		if in.OfProcess() {
			query.Set("form", "1")
		}
		in.Finds = page.Address(in.Finds, query)
	}
	return out, nil
}

// anyway is the field of a form that has the ids of persons of which whoever sends it was warned: they are not in the directory, or disabled there.
const anyway = "anyway"

// warned asks back, once, for the persons whom a form names in any of its fields and who are not in the directory that the tenant keeps, or are disabled there: sending it again
// confirms them. Nothing is refused by that.
func (s *Room) warned(v *page.Visit, inputs []forms.Input) (*refused, error) {
	if s.Directory == nil {
		return nil, nil
	}
	named := map[string][]string{} // by field
	var all []string
	for _, in := range inputs {
		ids := slices.DeleteFunc(in.Named(v.Form), func(id string) bool { return slices.Contains(v.Form.Values[anyway], id) })
		if len(ids) > 0 && len(ids) <= flow.MaxItems { // more are refused anyway
			named[in.Name], all = ids, append(all, ids...)
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	known, err := s.Directory.PersonsOf(v.Until, v.Who.App.Tenant, all)
	if err != nil {
		return nil, err
	}
	var faults ticket.Faults
	var doubted []string
	for _, in := range inputs {
		var nobody, disabled, why []string
		for _, id := range named[in.Name] {
			if p, ok := known[id]; !ok {
				nobody = append(nobody, id)
			} else if !p.Active {
				disabled = append(disabled, id)
			}
		}
		if len(nobody)+len(disabled) == 0 {
			continue
		}
		if len(nobody) > 0 {
			why = append(why, v.T("form.nobody", "Who", strings.Join(nobody, ", ")))
		}
		if len(disabled) > 0 {
			why = append(why, v.T("form.disabled", "Who", strings.Join(disabled, ", ")))
		}
		between := " "
		if v.Language() == "zh" {
			between = ""
		}
		faults.Add(in.Name, strings.Join(append(why, v.T("form.anyway")), between))
		doubted = append(doubted, slices.Concat(nobody, disabled)...)
	}
	if len(faults) == 0 {
		return nil, nil
	}
	if len(known) == 0 {
		some, _, err := s.Directory.Persons(v.Until, v.Who.App.Tenant, people.PersonFilter{}, "", 1)
		if err != nil || len(some) == 0 {
			return nil, err
		}
	}
	v.Tries()
	return &refused{form: v.Form, why: ticket.AsError(faults.Err()), anyway: doubted}, nil
}
