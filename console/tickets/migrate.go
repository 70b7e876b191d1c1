package tickets

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"signalbox/console/forms"
	"signalbox/console/page"
	"signalbox/desk"
	"signalbox/flow"
	"signalbox/ticket"
)

const (
	formMigrate = "migrate"
	// goesPrefix tells the fields that say where a node goes.
	goesPrefix = "goes."
	maxVersion = 9 // digits
)

// migrateView is what moving a ticket to another version of its service would do.
type migrateView struct {
	header
	Form     formView
	To       int
	Possible bool
	Reasons  []flow.Reason // why it is not
	Becomes  string        // where it is: the phase of the ticket then
	Stands   []nodeView    // where it stands then
	Overdue  []flow.Overdue
}

// CalledThere tells what a node is called at which the ticket stands then.
func (m migrateView) CalledThere(id string) string {
	for _, n := range m.Stands {
		if n.ID == id {
			return n.Name
		}
	}
	return id
}

// migration tells what moving a ticket to the version that is asked for would do, or to the latest.
func (s *Room) migration(v *page.Visit, h header) error {
	to, err := v.Ask("to", maxVersion)
	if err != nil {
		return err
	}
	v.Form.Values = map[string][]string{"to": {to}}
	return s.migrating(v, h, http.StatusOK, nil)
}

// version gives the version of the ticket's service that a form names, and the latest one where it names none.
func (s *Room) version(v *page.Visit, h header) (flow.Definition, error) {
	latest, err := s.Reader.ServiceRecord(v.Until, h.Tenant, h.Service)
	if err != nil {
		return flow.Definition{}, err
	}
	asked := v.Form.Text("to")
	n, err := strconv.ParseInt(asked, 10, 32)
	switch {
	case asked == "" || err == nil && int(n) == latest.Version:
		return latest.Definition, nil
	case err != nil || n < 1:
		return flow.Definition{}, ticket.RefuseField(ticket.Invalid, "to", "must be a whole number from 1 up")
	}
	def, err := s.Reader.ServiceVersion(v.Until, h.Tenant, h.Service, int(n))
	if ticket.Is(err, ticket.NotFound) {
		err = ticket.RefuseField(ticket.Invalid, "to", fmt.Sprintf("the service %q has no version %d", h.Service, n))
	}
	return def, err
}

// moving is the command that a form asks for. Only admins may.
func moving(v *page.Visit, t ticket.Ticket, def flow.Definition) ticket.Command {
	m := ticket.Migration{Definition: &def, Nodes: map[string]string{}, Rules: flow.RulesNow}
	for _, n := range t.Position.Nodes {
		if to := v.Form.Get(goesPrefix + n.Node); to != "" && to != n.Node {
			m.Nodes[n.Node] = to
		}
	}
	return ticket.Command{Action: ticket.Migrate, Channel: ticket.ChannelPages, App: v.Who.App.Code, Operator: v.Who.Person, Admin: v.Who.May(page.Admin),
		Note: forms.Lines(v.Form.Text("comment")), Migration: &m}
}

// migrating shows the form with what it would do; why is what the form met that was sent, nil where none was.
func (s *Room) migrating(v *page.Visit, h header, status int, why *ticket.Error) error {
	w := migrateView{header: h}
	def, err := s.version(v, h)
	if refusal := ticket.AsError(err); refusal != nil && refusal.Field == "to" {
		why, status, def = refusal, http.StatusBadRequest, flow.Definition{}
	} else if err != nil {
		return err
	}
	versions, _, err := s.Reader.ServiceVersions(v.Until, h.Tenant, h.Service, "", ticket.MaxPage)
	if err != nil {
		return err
	}
	w.To = def.Version
	w.Form = formView{ID: formMigrate, Action: formMigrate, Inputs: migrationInputs(v, h, def, versions)}
	forms.Numbered(formMigrate, w.Form.Inputs)
	for i := range w.Form.Inputs {
		if in := &w.Form.Inputs[i]; v.Form.Values.Has(in.Name) && v.Form.Get(in.Name) != "" {
			in.Refill(v.Form.Values)
		}
	}
	if why != nil {
		w.Form.Problem = forms.Blame(v, w.Form.Inputs, why)
	}
	if def.Key != "" {
		if err := s.try(v, &w, def); err != nil {
			return err
		}
	}
	return v.Render(status, "tickets/migrate", v.T("migrate.title", "Number", h.Number), w)
}

// try fills in what moving the ticket would do.
func (s *Room) try(v *page.Visit, w *migrateView, def flow.Definition) error {
	c := moving(v, w.Ticket, def)
	if err := c.Check(); err != nil {
		refusal := ticket.AsError(err)
		if refusal == nil {
			return err
		}
		w.Reasons = []flow.Reason{{Message: refusal.Error()}}
		return nil
	}
	trial, err := w.Ticket.Through(nil).TryMigration(c, v.Site().Now())
	if err != nil {
		trial.Reasons = []flow.Reason{{Message: v.T("services.migrate.unknown")}} // a process that this build does not know
	}
	if w.Reasons = trial.Reasons; len(w.Reasons) > 0 {
		return nil
	}
	after := v.SpokenTicket(trial.After)
	w.Possible, w.Becomes, w.Stands, w.Overdue = true, after.Phase(), nodesOf(after).Current, after.Overdue(v.Site().Now())
	return nil
}

// migrationInputs are the fields of the form: the version, where each node goes that the ticket has come to, and why.
func migrationInputs(v *page.Visit, h header, def flow.Definition, versions []ticket.ServiceRecord) []forms.Input {
	to := forms.Input{Name: "to", Label: v.T("services.migrate.to"), Kind: forms.Select, Required: true, Value: strconv.Itoa(def.Version)}
	for _, r := range versions {
		to.Choices = append(to.Choices, forms.Choice{Key: strconv.Itoa(r.Version), Name: strconv.Itoa(r.Version)})
	}
	if !slices.ContainsFunc(to.Choices, func(c forms.Choice) bool { return c.Key == to.Value }) && def.Version > 0 { // it is older than those that are listed
		to.Choices = append(to.Choices, forms.Choice{Key: to.Value, Name: to.Value})
	}
	out := []forms.Input{to}
	name, spoken := namesOf(h.Ticket), v.Spoken(def)
	for _, n := range h.Position.Nodes {
		if def.Key == "" {
			break
		}
		goes := forms.Input{Name: goesPrefix + n.Node, Label: v.T("migrate.goes", "Node", name(n.Node)), Kind: forms.Select}
		for _, there := range spoken.Nodes {
			if there.Type != n.Type {
				continue
			}
			goes.Choices = append(goes.Choices, forms.Choice{Key: there.ID, Name: cmp.Or(there.Name, there.ID), Theirs: true})
			if there.ID == n.Node {
				goes.Value = n.Node
			}
		}
		if !slices.ContainsFunc(out, func(in forms.Input) bool { return in.Name == goes.Name }) {
			out = append(out, goes)
		}
	}
	return append(out, forms.Comment(v, false))
}

// migrate moves a ticket to another version of its service, or looks once more at what that would do.
func (s *Room) migrate(v *page.Visit, h header) error {
	if v.Form.On("look") {
		v.Tries()
		return s.migrating(v, h, http.StatusOK, nil)
	}
	def, err := s.version(v, h)
	if err == nil {
		_, err = s.Desk.Handle(v.Until, v.DeskRequest(), desk.Handling{Ticket: h.Number, Command: moving(v, h.Ticket, def), Answer: nothing})
	}
	if err == nil {
		return v.Done(h.Path, v.T("migrate.done", "Version", def.Version))
	}
	why := ticket.AsError(err)
	if why == nil || refusalStatus[why.Code] == 0 {
		return err
	}
	v.Refused(why)
	return s.migrating(v, h, refusalStatus[why.Code], why)
}
