package people

import (
	"strings"
	"unicode/utf8"

	"signalbox/console/forms"
	"signalbox/console/page"
	"signalbox/people"
)

const (
	shownFound = 20
	// maxTyped is how much of what was typed is looked at: of a longer list of persons nobody is found.
	maxTyped = 2_000
)

// search gives some of the directory's active persons for a field in which somebody types the id or the name of one, or in which several are listed: there it goes on with the last of
// them, and what stands before stays. In the form of a process those are left out whom its fields cannot name. The field is the one by whose name the script sends what was typed.
func (r *Room) search(v *page.Visit) error {
	query, err := v.Asked()
	if err != nil {
		return err
	}
	typed, before := query.Get(v.Get("HX-Trigger-Name")), ""
	several, form := query.Get("several") != "", query.Get("form") != ""
	if several {
		if form {
			last := strings.LastIndexAny(typed, ",，") + 1
			for last > 0 && last < len(typed) && !utf8.RuneStart(typed[last]) { // behind the whole of it
				last++
			}
			before, typed = typed[:last], typed[last:]
		} else {
			before, typed = page.LastItem(typed)
		}
		if before != "" {
			before += " "
		}
	}
	var found []forms.Choice
	if word := strings.TrimSpace(typed); len(before)+len(word) <= maxTyped && utf8.RuneCountInString(word) <= people.MaxName {
		active := true
		list, _, err := r.Directory.Persons(v.Until, v.Who.App.Tenant, people.PersonFilter{Search: word, Active: &active}, "", shownFound)
		if err != nil {
			return err
		}
		for _, p := range list {
			if form && !forms.Nameable(p.ID) {
				continue
			}
			id := p.ID
			if several && !form {
				id = page.Listed(id)
			}
			found = append(found, forms.Choice{Key: before + id, Name: p.Name})
		}
	}
	return v.Part("persons-found", found)
}
