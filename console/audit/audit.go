// Package audit is the pages on which admins see who asked for what, from where, and what became of it.
package audit

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"signalbox/api"
	"signalbox/api/houseapi"
	"signalbox/console/page"
	"signalbox/desk"
	"signalbox/ticket"
)

// Reader is the audit.
type Reader interface {
	// Audit lists what was asked for in a tenant, done or refused, newest first.
	Audit(ctx context.Context, tenant string, f desk.EntryFilter) (entries []desk.Entry, next string, err error)
}

// Room is the area. Reader is needed.
type Room struct{ Reader Reader }

const all = "/audit"

// Area gives its routes.
func (r *Room) Area() page.Area {
	return page.Area{
		Routes: []page.Route{
			{Method: http.MethodGet, Path: all, Right: page.Admin, Do: r.list},
			{Method: http.MethodGet, Path: all + ".csv", Right: page.Admin, Do: r.csv},
		},
		Menu: []page.Entry{{Path: all, Label: "menu.audit", Right: page.Admin}},
	}
}

const (
	listPage = 50
	// maxRows is how much of the audit a file has.
	maxRows = 10_000
)

// listView is a page of the audit.
type listView struct {
	App, Operator, Number, Outcome string // as chosen
	From, To                       string // likewise, in the visitor's time zone
	Outcomes                       []desk.OperationState
	Rows                           []rowView
	Further                        bool   // this is not the first page
	First, Next, CSV               string // addresses; Next is empty on the last page
	Chosen                         bool   // there is a filter
	MaxRows                        int
}

type rowView struct {
	desk.Entry
	Door string // the channel, as people are shown it
}

// read gives what is asked for, and the query that asks for it again.
func read(v *page.Visit) (f desk.EntryFilter, query url.Values, err error) {
	q, err := api.ReadQuery(v.Ctx)
	if err != nil {
		return f, nil, err
	}
	f = houseapi.ReadEntries(q, func(name string) time.Time {
		at, err := v.Moment(name, q.Name(name, 0, ticket.MaxName))
		houseapi.Note(&q.Faults, err)
		return at
	})
	query = url.Values{}
	for name, value := range map[string]string{"app": f.App, "operator": f.Operator, "number": f.Number, "outcome": string(f.Outcome), "from": moment(f.From), "to": moment(f.To)} {
		if value != "" {
			query.Set(name, value)
		}
	}
	return f, query, q.Err()
}

func moment(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.Format(time.RFC3339)
}

func (r *Room) list(v *page.Visit) error {
	f, query, err := read(v)
	if err != nil {
		return err
	}
	f.Limit = listPage
	entries, next, err := r.Reader.Audit(v.Until, v.Who.App.Tenant, f)
	if err != nil {
		return err
	}
	l := listView{App: f.App, Operator: f.Operator, Number: f.Number, Outcome: string(f.Outcome), From: v.ChosenMoment(f.From), To: v.ChosenMoment(f.To),
		Outcomes: houseapi.Outcomes, Chosen: len(query) > 0, Further: f.Cursor != "", First: page.Address(all, query), CSV: page.Address(all+".csv", query), MaxRows: maxRows}
	for _, e := range entries {
		l.Rows = append(l.Rows, rowView{e, v.Word("channel", e.Channel)})
	}
	if next != "" {
		query.Set("cursor", next)
		l.Next = page.Address(all, query)
	}
	return v.Render(http.StatusOK, "audit/list", v.T("audit.title"), l)
}

// csv gives the newest entries that are asked for as a file, under the names that the API has for their members.
func (r *Room) csv(v *page.Visit) error {
	f, _, err := read(v)
	if err != nil {
		return err
	}
	return v.CSV("audit.csv", func(row func(cells ...string)) error {
		row("id", "at", "ended_at", "app", "operator", "address", "request_id", "door", "method", "path", "number", "outcome", "status", "code", "why")
		f.Limit = ticket.MaxPage
		for n := 0; n < maxRows; {
			entries, next, err := r.Reader.Audit(v.Until, v.Who.App.Tenant, f)
			if err != nil {
				return err
			}
			for _, e := range entries[:min(len(entries), maxRows-n)] {
				n++
				ended := ""
				if e.EndedAt != nil {
					ended = e.EndedAt.UTC().Format(time.RFC3339Nano)
				}
				row(e.ID, e.At.UTC().Format(time.RFC3339Nano), ended, e.App, e.Operator, e.Address, e.RequestID, string(e.Channel), e.Method, e.Path, e.Number,
					string(e.Outcome), strconv.Itoa(e.Status), string(e.Code), e.Why)
			}
			if f.Cursor = next; next == "" {
				break
			}
		}
		return nil
	})
}
