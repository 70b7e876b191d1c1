package tickets

import (
	"net/http"
	"net/url"
	"signalbox/console/page"
	"slices"
	"strings"

	"signalbox/ticket"
)

const (
	listPage  = 50
	maxCursor = 512 // characters
)

var phases = []string{string(ticket.Triggered), string(ticket.Acknowledged), string(ticket.Resolved), ticket.PhaseSuspended,
	string(ticket.Completed), string(ticket.Terminated), string(ticket.Revoked)}

// listView is a page of the list.
type listView struct {
	Status, Phase, Terms string // as chosen
	Statuses, Phases     []string
	Rows                 []rowView
	Further              bool   // this is not the first page
	First, Next          string // addresses; Next is empty on the last page
	Chosen               bool   // there is a filter
}

type rowView struct {
	ticket.Ticket
	Word    string // OPEN or CLOSED
	Waiting []string
	Anyone  bool // anybody may act
}

// list shows the tenant's tickets, newest first.
func (s *Room) list(v *page.Visit) error {
	l := listView{Statuses: []string{ticket.WordOpen, ticket.WordClosed}, Phases: phases}
	var cursor string
	for _, p := range []struct {
		name string
		max  int
		to   *string
	}{{"status", 20, &l.Status}, {"phase", 20, &l.Phase}, {"q", ticket.MaxName, &l.Terms}, {"cursor", maxCursor, &cursor}} {
		var err error
		if *p.to, err = v.Ask(p.name, p.max); err != nil {
			return err
		}
	}
	f := ticket.Filter{Terms: l.Terms, Limit: listPage, Cursor: cursor}
	switch l.Status {
	case "":
	case ticket.WordOpen, ticket.WordClosed:
		open := l.Status == ticket.WordOpen
		f.Open = &open
	default:
		return ticket.RefuseField(ticket.Invalid, "status", "must be one of "+strings.Join(l.Statuses, ", "))
	}
	if l.Phase != "" {
		if !slices.Contains(phases, l.Phase) {
			return ticket.RefuseField(ticket.Invalid, "phase", "must be one of "+strings.Join(phases, ", "))
		}
		f.Phases = []string{l.Phase}
	}
	found, err := s.Reader.Tickets(v.Until, v.Who.App.Tenant, f)
	if err != nil {
		return err
	}
	for _, t := range found.Items {
		names, anyone := waiting(t)
		l.Rows = append(l.Rows, rowView{t, t.Status.Word(), names, anyone})
	}
	query := url.Values{}
	for name, value := range map[string]string{"status": l.Status, "phase": l.Phase, "q": l.Terms} {
		if value != "" {
			query.Set(name, value)
		}
	}
	l.Chosen, l.Further, l.First = len(query) > 0, cursor != "", page.Address(page.Home, query)
	if found.Next != "" {
		query.Set("cursor", found.Next)
		l.Next = page.Address(page.Home, query)
	}
	return v.Render(http.StatusOK, "tickets/list", "Tickets", l)
}
