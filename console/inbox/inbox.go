// Package inbox is the page that everybody begins with: what waits for them, what they can take, what they opened and what they follow; and the forms by which they
// act without opening a ticket, on one or on several at once.
package inbox

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"signalbox/api"
	"signalbox/console/page"
	"signalbox/flow"
	"signalbox/ticket"
)

const (
	waitingPage = 40  // tickets that wait for somebody, on a page
	ownPage     = 10  // tickets that they opened, or follow
	maxCursor   = 512 // characters
)

// Reader is what the inbox reads. All of it is limited to the tenant.
type Reader interface {
	// Tickets lists tickets.
	Tickets(ctx context.Context, tenant string, f ticket.Filter) (ticket.Page, error)
	// Count counts those of a list, up to most.
	Count(ctx context.Context, tenant string, f ticket.Filter, most int) (ticket.Total, error)
	// Ticket finds one by its number; NotFound.
	Ticket(ctx context.Context, tenant, key string) (ticket.Ticket, error)
}

// Room is the area. Both are needed.
type Room struct {
	Reader Reader
	Desk   api.Desk
}

// Area gives its routes.
func (r *Room) Area() page.Area {
	return page.Area{
		Routes: []page.Route{
			{Method: http.MethodGet, Path: page.Home, Right: page.Read, Do: func(v *page.Visit) error { return r.show(v, http.StatusOK, outcome{}) }},
			{Method: http.MethodPost, Path: page.Home, Right: page.Act, Do: r.act},
		},
		Menu: []page.Entry{{Path: page.Home, Label: "menu.inbox", Right: page.Read, Count: func(v *page.Visit) (int, error) {
			total, err := r.count(v)
			return total.N, err
		}}},
	}
}

// view is the page.
type view struct {
	outcome
	Waiting, Free []item // what waits for the visitor, and what any of several may take who are asked
	Total         ticket.Total
	More, Further bool     // there is more of what waits, there was something before
	Next          string   // address
	Actions       []string // that can be done at some of them
	Max           int      // at once
	Opened        own
	Followed      own
}

// own is a list of tickets that are somebody's.
type own struct {
	Rows []row
	All  string // address of all of them, where these are not all
}

// row is a ticket in a list.
type row struct {
	ticket.Ticket
	Waiting []string
	Anyone  bool
	Due     *time.Time // by its SLA
	DueBy   string     // sla
	Overdue bool
}

// item is a place in a process at which a ticket waits for the visitor.
type item struct {
	ticket.Ticket
	place
	Asked   flow.Asked
	For     []string   // whom they stand in for there
	Due     *time.Time // by its SLA, or at this node, whichever is first
	DueBy   string     // which of the two: sla or node
	Overdue bool
	Quick   []ticket.Action // what can be done from here
	More    bool            // what brings the ticket on needs its own page
	Ticked  bool            // it was chosen in the form that comes back
	Note    string          // what was written beside it
}

// By what something is due, as the pages name it.
const (
	bySLA  = "sla"
	byNode = "node"
)

// ServiceName is what the ticket's service is called.
func (i item) ServiceName() string {
	if p, err := i.Process(); err == nil {
		return p.Definition().Name
	}
	return i.Service
}

// Can reports whether something can be done from here.
func (i item) Can(a string) bool { return slices.Contains(i.Quick, ticket.Action(a)) }

// place names a node of a ticket, in one round of it, as forms send it.
type place struct {
	Number, Node string
	Round        int
}

// Key is a name for the place that an element of a page can have.
func (p place) Key() string { return digest(p.At()) }

// At is how a form names the place.
func (p place) At() string {
	return url.Values{"ticket": {p.Number}, "node": {p.Node}, "round": {strconv.Itoa(p.Round)}}.Encode()
}

// placeOf reads what At gave.
func placeOf(text string) (p place, ok bool) {
	values, err := url.ParseQuery(text)
	if err != nil {
		return place{}, false
	}
	p = place{Number: values.Get("ticket"), Node: values.Get("node")}
	p.Round, err = strconv.Atoi(values.Get("round"))
	return p, err == nil && p.Number != "" && p.Node != "" && p.Round > 0
}

// quick are the actions that are offered here, where nothing else has to be said.
var quick = []ticket.Action{ticket.Approve, ticket.Reject, ticket.Claim, ticket.Accept}

// beside are the actions that bring a ticket no further, of which nothing is said here.
var beside = []ticket.Action{ticket.Add, ticket.Remove, ticket.Retract, ticket.Deliver, ticket.Terminate}

// itemsOf lists where a ticket waits for somebody.
func itemsOf(t ticket.Ticket, who string, now time.Time) (out []item) {
	for _, n := range t.Nodes() {
		if !slices.Contains(n.Pending, who) {
			continue
		}
		i := item{Ticket: t, Asked: n.Asked, place: place{t.Number, n.Node, n.Round}, Due: earlier(t.DueAt(), n.Due)}
		if i.DueBy = bySLA; i.Due == n.Due {
			i.DueBy = byNode
		}
		i.Overdue = i.Due != nil && i.Due.Before(now)
		for _, s := range n.Standing {
			if s.Deputy == who {
				i.For = append(i.For, s.For)
			}
		}
		for _, a := range n.Actions {
			switch a := ticket.Action(a); {
			case slices.Contains(quick, a) && simple(a, n.Asked):
				i.Quick = append(i.Quick, a)
			case !slices.Contains(beside, a):
				i.More = true
			}
		}
		out = append(out, i)
	}
	return out
}

// simple reports whether an action needs nothing but a comment: a form that must be filled in, and a place to go back to that must be chosen, are on the ticket's own page.
func simple(a ticket.Action, n flow.Asked) bool {
	switch a {
	case ticket.Reject:
		return len(n.Back) == 0
	case ticket.Approve, ticket.Accept:
		return !slices.ContainsFunc(n.Fields, func(f flow.Field) bool { return f.Required && f.Default == nil })
	}
	return true
}

func earlier(a, b *time.Time) *time.Time {
	if a == nil || b != nil && b.Before(*a) {
		return b
	}
	return a
}

// show shows the inbox, with what came of a form where one was sent.
func (r *Room) show(v *page.Visit, status int, came outcome) error {
	cursor, err := v.Ask("cursor", maxCursor)
	if err != nil {
		return err
	}
	w := view{outcome: came, Further: cursor != "", Max: maxAtOnce}
	now, who := v.Site().Now(), v.Who.Person
	// The soonest due come first, and so do those that are overdue.
	f := waitingFor(who)
	f.Sort, f.Limit, f.Cursor = ticket.SortDue, waitingPage, cursor
	found, err := r.list(v, f)
	if err != nil {
		return err
	}
	for _, t := range found.Items {
		for _, i := range itemsOf(t, who, now) {
			i.Ticked, i.Note = came.chose(i.place)
			if slices.Contains(i.Asked.Actions, flow.Claim) {
				w.Free = append(w.Free, i)
			} else {
				w.Waiting = append(w.Waiting, i)
			}
		}
	}
	// Within a page what is due at its node counts as much as what is promised of the ticket.
	overdue := func(a, b item) int {
		switch {
		case a.Due != nil && b.Due != nil:
			return a.Due.Compare(*b.Due)
		case a.Due != nil:
			return -1
		case b.Due != nil:
			return 1
		}
		return 0
	}
	slices.SortStableFunc(w.Waiting, overdue)
	slices.SortStableFunc(w.Free, overdue)
	for _, a := range quick {
		if slices.ContainsFunc(slices.Concat(w.Waiting, w.Free), func(i item) bool { return i.Can(string(a)) }) && v.Who.May(page.Act) {
			w.Actions = append(w.Actions, string(a))
		}
	}
	if w.More = found.Next != ""; w.More {
		w.Next = page.Address(page.Home, url.Values{"cursor": {found.Next}})
	}
	if w.Total, err = r.count(v); err != nil {
		return err
	}
	open := true
	if w.Opened, err = r.own(v, ticket.Filter{Opener: who, Open: &open}, url.Values{"opener": {who}, "status": {ticket.WordOpen}}); err != nil {
		return err
	}
	if w.Followed, err = r.own(v, ticket.Filter{Follower: who, Open: &open}, url.Values{"follower": {who}, "status": {ticket.WordOpen}}); err != nil {
		return err
	}
	return v.Render(status, "inbox/inbox", v.T("menu.inbox"), w)
}

// waitingFor chooses what waits for somebody and goes on when they act; a suspended ticket does not. That it is open follows from its phase, and is said for the sake of the database, which so begins with
// what waits for them rather than with all that is in these phases.
func waitingFor(who string) ticket.Filter {
	open := true
	return ticket.Filter{WaitingFor: who, Open: &open, Phases: []string{string(ticket.Triggered), string(ticket.Acknowledged), string(ticket.Resolved)}}
}

// count tells how many tickets wait for the visitor.
func (r *Room) count(v *page.Visit) (ticket.Total, error) {
	return r.Reader.Count(v.Until, v.Who.App.Tenant, waitingFor(v.Who.Person), ticket.MaxTotal)
}

func (r *Room) list(v *page.Visit, f ticket.Filter) (ticket.Page, error) {
	found, err := r.Reader.Tickets(v.Until, v.Who.App.Tenant, f)
	for i, t := range found.Items {
		found.Items[i] = v.SpokenTicket(t)
	}
	return found, err
}

// own gives some of somebody's open tickets, those that are due first; query is how the list of all tickets is asked for them.
func (r *Room) own(v *page.Visit, f ticket.Filter, query url.Values) (out own, err error) {
	f.Sort, f.Limit = ticket.SortDue, ownPage
	found, err := r.list(v, f)
	if err != nil {
		return out, err
	}
	now := v.Site().Now()
	for _, t := range found.Items {
		i := row{Ticket: t, Waiting: t.WaitingFor(), Due: t.DueAt(), DueBy: bySLA}
		i.Anyone = slices.ContainsFunc(t.Nodes(), func(n ticket.Node) bool { return n.Anyone })
		i.Overdue = i.Due != nil && i.Due.Before(now)
		out.Rows = append(out.Rows, i)
	}
	if found.Next != "" {
		out.All = page.Address("/tickets", query)
	}
	return out, nil
}
