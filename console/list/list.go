// Package list is the list of a tenant's tickets: found by whatever is known of them, sorted, counted, kept as views, and taken along as a file.
package list

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"time"

	"signalbox/api"
	"signalbox/console/page"
	"signalbox/flow"
	"signalbox/ticket"
)

const listPage = 50

// Reader is what the list reads. All of it is limited to the tenant.
type Reader interface {
	// Tickets lists tickets.
	Tickets(ctx context.Context, tenant string, f ticket.Filter) (ticket.Page, error)
	// Count counts those of a list, up to most.
	Count(ctx context.Context, tenant string, f ticket.Filter, most int) (ticket.Total, error)
	// Stuck tells of some tickets, which are the tenant's, why they cannot go on, the longest first; of those that can, nothing.
	Stuck(ctx context.Context, list []ticket.Ticket) (map[int64][]ticket.Stuck, error)
}

// Room is the area. All of it is needed.
type Room struct {
	Reader Reader
	Views  Views
	Desk   api.Desk
}

// Area gives its routes.
func (r *Room) Area() page.Area {
	return page.Area{
		Routes: []page.Route{
			{Method: http.MethodGet, Path: path, Right: page.Read, Do: r.show},
			{Method: http.MethodGet, Path: path + ".csv", Right: page.Read, Do: r.export},
			{Method: http.MethodPost, Path: path + "/views", Right: page.Act, Do: r.keep},
			{Method: http.MethodPost, Path: path + "/views/:id", Right: page.Act, Do: r.change},
		},
		Menu: []page.Entry{{Path: path, Label: "menu.tickets", Right: page.Read}},
	}
}

// view is a page of the list.
type view struct {
	Asked                  asked
	Statuses, Phases, SLAs []string
	Periods, Sorts, Causes []string
	Services               []service // of the tickets on the page
	Rows                   []row
	Views                  []link
	Total                  ticket.Total
	Columns                []column
	Further                bool   // this is not the first page
	First, Next            string // addresses; Next is empty on the last page
	File                   string // address of the list as a file
	Live                   string // address that tells whether something on the page has changed
	Chosen                 bool   // there is a filter
	More                   bool   // there is one that the form shows on demand
	Seen                   string
	Query                  string      // what is asked for, as a view keeps it
	Here                   ticket.View // which view that is; without an ID none
	Keep, Change           keeping
	Wrong                  page.Fault // with what the address asks for; nothing is listed then
}

// service is a service as a filter can name it.
type service struct{ Key, Name string }

// link leads to another list.
type link struct {
	Path, Label string
	Current     bool
	Shared      bool // everybody has it
}

// column is a time by which the list can be sorted.
type column struct {
	Label, Path string
	Order       string // ascending or descending, where the list is in this order
}

// row is a ticket in the list.
type row struct {
	ticket.Ticket
	Waiting []string
	Anyone  bool // anybody may act
	Due     *time.Time
	Overdue bool
	Stuck   []stuckView // why it cannot go on
}

// stuckView is why a ticket cannot go on, with what helps where that can be done from the list.
type stuckView struct {
	ticket.Stuck
	Fix *fixView
}

// fixView is what brings a ticket on: an act that needs nothing more to be said than whom it asks.
type fixView struct {
	Number, Action, Node string
	Round                int
	Whom                 bool // it has to be said whom it asks
	Admin                bool // it is done by the rights of an admin
	Back                 string
	Resend               bool // what did not arrive is sent again, which is no act of the process
}

// fixOf gives what the visitor can do about it from the list; nil: nothing, or it takes more than that.
func fixOf(v *page.Visit, t ticket.Ticket, s ticket.Stuck, back string) *fixView {
	if !v.Who.May(page.Act) {
		return nil
	}
	if s.Cause == ticket.CauseUndelivered {
		return &fixView{Number: t.Number, Resend: true, Back: back}
	}
	action := map[ticket.Cause]flow.Action{flow.CauseFailed: flow.Retry, flow.CauseUnknown: flow.Retry, flow.CauseNobody: flow.Reassign, flow.CauseTooFew: flow.Add}[s.Cause]
	for _, n := range t.Nodes() {
		if n.Node != s.Node || action == "" {
			continue
		}
		mine := slices.Contains(n.Actions, action) && (n.Anyone || slices.Contains(n.Pending, v.Who.Person))
		if !mine && !v.Who.May(page.Admin) {
			return nil
		}
		return &fixView{Number: t.Number, Action: string(action), Node: n.Node, Round: n.Round, Whom: action != flow.Retry, Admin: !mine, Back: back}
	}
	return nil
}

// ServiceName is what the ticket's service is called.
func (r row) ServiceName() string {
	if p, err := r.Process(); err == nil {
		return p.Definition().Name
	}
	return r.Service
}

func rowOf(t ticket.Ticket, now time.Time) row {
	out := row{Ticket: t, Waiting: t.WaitingFor(), Due: t.DueAt()}
	out.Anyone = slices.ContainsFunc(t.Nodes(), func(n ticket.Node) bool { return n.Anyone })
	out.Overdue = out.Due != nil && out.Due.Before(now) && !t.Ended()
	return out
}

// read reads what the address asks for.
func (r *Room) read(v *page.Visit) (a asked, err error) {
	values, err := v.Asked()
	if err != nil {
		return a, err
	}
	return a, a.read(values)
}

// show shows a page of the list.
func (r *Room) show(v *page.Visit) error {
	a, err := r.read(v)
	if err == nil {
		_, err = a.filter(v.Site().Now(), v.Zone())
	}
	if wrong, ok := v.Fault(err); ok {
		return v.Render(http.StatusBadRequest, "list/list", v.T("menu.tickets"), a.view(v, view{Wrong: wrong, More: true}))
	}
	if err != nil {
		return err
	}
	return r.page(v, http.StatusOK, a, view{})
}

// view adds to a page what its form shows: what is asked for, what can be, and the views that everybody has.
func (a asked) view(v *page.Visit, w view) view {
	w.Asked, w.Statuses, w.Phases, w.SLAs, w.Periods, w.Sorts, w.Causes = a, []string{ticket.WordOpen, ticket.WordClosed}, phases, slas, periods, sorts, causes
	for _, b := range builtIn {
		w.Views = append(w.Views, link{Path: b.asks.address(), Label: v.Word("view", b.name), Current: b.asks.String() == a.String()})
	}
	return w
}

// page answers with a page of a list; w has what a form on it is to show. A browser that has the page already, and asks whether anything has changed, is told so by no content.
func (r *Room) page(v *page.Visit, status int, a asked, w view) error {
	f, err := a.filter(v.Site().Now(), v.Zone())
	if err != nil {
		return err
	}
	f.Limit = listPage
	found, err := r.Reader.Tickets(v.Until, v.Who.App.Tenant, f)
	if err != nil {
		return err
	}
	for i, t := range found.Items {
		found.Items[i] = v.SpokenTicket(t)
	}
	w = a.view(v, w)
	if w.Total, err = r.Reader.Count(v.Until, v.Who.App.Tenant, f, f.Most()); err != nil {
		return err
	}
	stuck, err := r.Reader.Stuck(v.Until, found.Items)
	if err != nil {
		return err
	}
	now := v.Site().Now()
	seen := sha256.New()
	fmt.Fprint(seen, w.Total)
	for _, t := range found.Items {
		i := rowOf(t, now)
		for _, s := range stuck[t.ID] {
			i.Stuck = append(i.Stuck, stuckView{s, fixOf(v, t, s, a.address())})
		}
		w.Rows = append(w.Rows, i)
		fmt.Fprint(seen, " ", t.ID, ".", t.Seq, stuck[t.ID], i.Overdue)
		if s := (service{t.Service, row{Ticket: t}.ServiceName()}); !slices.Contains(w.Services, s) {
			w.Services = append(w.Services, s)
		}
	}
	w.Seen = hex.EncodeToString(seen.Sum(nil)[:8])
	if had, err := v.Ask("seen", 64); err != nil || had == w.Seen {
		if err == nil {
			v.Status(http.StatusNoContent)
		}
		return err
	}
	query := a.query()
	w.Chosen, w.Further, w.First = len(query) > 0 && !(len(query) == 1 && query.Has("sort")), a.cursor != "", page.Address(path, query)
	w.File = page.Address(path+".csv", query)
	w.More = slices.ContainsFunc(a.parameters(), func(p parameter) bool { return *p.to != "" && !slices.Contains(shown, p.name) }) && !a.common()
	if v.Get("HX-Request") != "" && !v.Request().URI().QueryArgs().Has("seen") {
		v.Set("HX-Push-Url", w.First) // without what the form leaves empty
	}
	if a.cursor != "" {
		query.Set("cursor", a.cursor)
	}
	query.Set("seen", w.Seen)
	w.Live = page.Address(path, query)
	if found.Next != "" {
		query.Del("seen")
		query.Set("cursor", found.Next)
		w.Next = page.Address(path, query)
	}
	w.Columns = columns(a)
	kept, here, err := r.kept(v, a)
	if err != nil {
		return err
	}
	w.Views, w.Here, w.Query = append(w.Views, kept...), here, a.String()
	if !w.Change.Open {
		w.Change.Name = here.Name
	}
	return v.Render(status, "list/list", v.T("menu.tickets"), w)
}

// shown are the parameters that the form shows at once.
var shown = []string{"q", "status", "phase", "sort"}

// columns are the times of the list, with what has it sorted by them.
func columns(a asked) []column {
	due, opening, updated := column{Label: "due", Path: a.sorted(string(ticket.SortDue))}, column{Label: "opened", Path: a.sorted(opened)}, column{Label: "updated", Path: a.sorted(string(ticket.SortUpdatedLatest))}
	switch ticket.Sort(a.Sort) {
	case ticket.SortOpened:
		opening.Order = "descending"
	case ticket.SortDue:
		due.Order = "ascending"
	case ticket.SortUpdated:
		updated.Order = "ascending"
	case ticket.SortUpdatedLatest:
		updated.Order, updated.Path = "descending", a.sorted(string(ticket.SortUpdated))
	}
	return []column{due, opening, updated}
}
