package people

import (
	"strings"

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
// them, and what stands before stays. The field is the one by whose name the script sends what was typed.
func (r *Room) search(v *page.Visit) error {
	query, err := v.Asked()
	if err != nil {
		return err
	}
	typed, before := query.Get(v.Get("HX-Trigger-Name")), ""
	if query.Get("several") != "" {
		if at := strings.LastIndexAny(typed, ",，"); at >= 0 {
			last := typed[at:]
			word := strings.TrimLeft(last, ",，")
			before, typed = strings.TrimRight(typed[:len(typed)-len(word)], " ")+" ", word
		}
	}
	var found []forms.Choice
	if word := strings.TrimSpace(typed); len(before)+len(word) <= maxTyped && len(word) <= people.MaxName {
		active := true
		list, _, err := r.Directory.Persons(v.Until, v.Who.App.Tenant, people.PersonFilter{Search: word, Active: &active}, "", shownFound)
		if err != nil {
			return err
		}
		for _, p := range list {
			found = append(found, forms.Choice{Key: before + p.ID, Name: p.Name})
		}
	}
	return v.Part("persons-found", found)
}
