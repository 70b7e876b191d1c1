package services

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"signalbox/console/page"
	"signalbox/desk"
	"signalbox/flow"
	"signalbox/ticket"
)

// Tickets is the read model as the migration of tickets sees it.
type Tickets interface {
	// Tickets lists newest first.
	Tickets(ctx context.Context, tenant string, f ticket.Filter) (ticket.Page, error)
}

// migrateBatch is how many tickets are moved by one request, each by an update of its workflow; trialPage is how many are tried at once.
const (
	migrateBatch = 10
	trialPage    = 50
)

// migrateView is what moving the open tickets of a service to a version would do.
type migrateView struct {
	ticket.ServiceRecord // the latest version
	Path                 string
	To                   int
	Rows                 []trialView
	Possible             int // of those that are shown
	There                int // run through that version already
	First, Next          string
}

// trialView is a ticket and what would become of it.
type trialView struct {
	ticket.Ticket
	Reasons []flow.Reason // none: it can be moved
}

// movingView is a migration that is under way.
type movingView struct {
	ticket.ServiceRecord
	Path             string
	To               int
	Cursor           string // where it goes on
	There, Not, Seen int
}

// target gives the version that tickets are to be moved to: the one that is asked for, or the latest.
func (r *Room) target(v *page.Visit, f found, asked string) (flow.Definition, error) {
	s, err := r.kind().Numbered(v, f.Latest, asked)
	return s.Definition, err
}

// open gives some of the open tickets of a service.
func (r *Room) open(v *page.Visit, key, cursor string, limit int) (ticket.Page, error) {
	open := true
	return r.Tickets.Tickets(v.Until, v.Who.App.Tenant, ticket.Filter{Open: &open, Service: key, Cursor: cursor, Limit: limit})
}

// move is the command that moves a ticket to a version; only admins may.
func move(v *page.Visit, def flow.Definition) ticket.Command {
	return ticket.Command{Action: ticket.Migrate, Channel: v.DeskRequest().Channel, App: v.Who.App.Code, Operator: v.Who.Person, Admin: v.Who.May(page.Admin),
		Migration: &ticket.Migration{Definition: &def, Rules: flow.RulesNow}}
}

// migration tells what moving the open tickets of a service to a version would do, some at a time.
func (r *Room) migration(v *page.Visit, f found) error {
	to, err := v.Ask("to", 10)
	if err != nil {
		return err
	}
	cursor, err := v.Ask("cursor", maxCursor)
	if err != nil {
		return err
	}
	def, err := r.target(v, f, to)
	if err != nil {
		return err
	}
	tickets, err := r.open(v, f.Key, cursor, trialPage)
	if err != nil {
		return err
	}
	w := migrateView{ServiceRecord: spoken(v, f.Latest), Path: pathOf(f.Key), To: def.Version}
	for _, t := range tickets.Items {
		if t.Version == def.Version {
			w.There++
			continue
		}
		trial, err := t.TryMigration(move(v, def), r.Now())
		if err != nil {
			trial.Reasons = []flow.Reason{{Message: v.T("services.migrate.unknown")}} // a process that this build does not know
		}
		if trial.Possible() {
			w.Possible++
		}
		w.Rows = append(w.Rows, trialView{t, trial.Reasons})
	}
	query := url.Values{"to": {strconv.Itoa(def.Version)}}
	if cursor != "" {
		w.First = page.Address(v.Path(), query)
	}
	if tickets.Next != "" {
		query.Set("cursor", tickets.Next)
		w.Next = page.Address(v.Path(), query)
	}
	return v.Render(http.StatusOK, "services/migrate", v.T("services.migrate.title", "Name", w.Name), w)
}

// migrate moves some of the open tickets of a service to a version, and has the page ask for the next ones until there are no more. What is asked for twice is done once.
func (r *Room) migrate(v *page.Visit, f found) error {
	def, err := r.target(v, f, v.Form.Get("to"))
	if err != nil {
		return err
	}
	w := movingView{ServiceRecord: spoken(v, f.Latest), Path: pathOf(f.Key) + "/migrate", To: def.Version}
	for name, to := range map[string]*int{"there": &w.There, "not": &w.Not, "seen": &w.Seen} {
		*to, _ = strconv.Atoi(v.Form.Get(name)) // of a form of ours they are numbers
	}
	tickets, err := r.open(v, f.Key, v.Form.Get("cursor"), migrateBatch)
	if err != nil {
		return err
	}
	for _, t := range tickets.Items {
		if w.Seen++; t.Version == def.Version {
			w.There++
			continue
		}
		request := v.DeskRequest()
		request.Key += ":" + t.Number
		_, err := r.Desk.Handle(v.Until, request, desk.Handling{Ticket: t.Number, Command: move(v, def), Answer: desk.Answer{Status: http.StatusOK, Body: json.RawMessage(`{}`)}})
		switch {
		case err == nil:
			w.There++
		case ticket.AsError(err) == nil || ticket.Is(err, ticket.Unavailable):
			return err // whoever reloads goes on where this was
		default:
			w.Not++
		}
	}
	if w.Cursor = tickets.Next; w.Cursor != "" {
		return v.Render(http.StatusOK, "services/moving", v.T("services.migrate.title", "Name", w.Name), w)
	}
	return v.Done(page.Address(pathOf(f.Key)+"/migrate", url.Values{"to": {strconv.Itoa(def.Version)}}), v.T("services.migrate.done", "There", w.There, "Not", w.Not, "Version", def.Version))
}
