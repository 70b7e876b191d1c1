// Package calendars is the pages of working time: calendars in their versions, the months as they are worked, and where one is written, takes in holidays and is
// published.
package calendars

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"signalbox/api"
	"signalbox/calendar"
	"signalbox/console/page"
	"signalbox/console/versions"
	"signalbox/ticket"
)

// Records are the calendars of all tenants as these pages see them. NotFound stands for what a tenant does not have.
type Records interface {
	// CalendarRecords lists the latest versions, those of disabled calendars included, by key.
	CalendarRecords(ctx context.Context, tenant, cursor string, limit int) (list []ticket.CalendarRecord, next string, err error)
	// CalendarRecord gives a version of a calendar, or the latest one where version is 0.
	CalendarRecord(ctx context.Context, tenant, key string, version int) (ticket.CalendarRecord, error)
	// CalendarVersions lists the versions of a calendar, the latest first.
	CalendarVersions(ctx context.Context, tenant, key, cursor string, limit int) (list []ticket.CalendarRecord, next string, err error)
	// PublishCalendar makes a calendar without faults the next version of the one of its key, and gives it with its version. One that says what the latest version says
	// is that version. Joins the transaction of ctx.
	PublishCalendar(ctx context.Context, tenant, by string, cal calendar.Calendar) (calendar.Calendar, error)
	// PublishWrittenCalendar is PublishCalendar for one that was read from a text, which is kept beside the version, and which CalendarText gives; empty: there is none.
	PublishWrittenCalendar(ctx context.Context, tenant, by string, cal calendar.Calendar, text string) (calendar.Calendar, error)
	CalendarText(ctx context.Context, tenant, key string, version int) (string, error)
	// EnableCalendar says whether new versions of services may name a calendar. Joins the transaction of ctx.
	EnableCalendar(ctx context.Context, tenant, key string, enabled bool) error
}

// Room is the area. All are needed.
type Room struct {
	Desk    api.Desk
	Records Records
	Now     func() time.Time
}

// Area gives its routes.
func (r *Room) Area() page.Area {
	route := func(method, path string, right page.Right, do page.Handler) page.Route {
		return page.Route{Method: method, Path: path, Right: right, Do: do}
	}
	return page.Area{
		Routes: append(r.kind().Routes(), []page.Route{
			route(http.MethodGet, "/calendars", page.Read, r.list),
			route(http.MethodGet, "/calendars/:key", page.Read, r.kind().Of(r.show)),
			route(http.MethodGet, "/calendars/:key/v/:version", page.Read, r.kind().Of(r.show)),
			route(http.MethodGet, "/calendars/:key/import", page.Admin, r.kind().Of(r.importing)),
			route(http.MethodPost, "/calendars/:key/import", page.Admin, r.kind().Of(r.imported)),
		}...),
		Menu: []page.Entry{{Path: "/calendars", Label: "menu.calendars", Right: page.Read}},
	}
}

// found is a calendar that a path names, in the version that it names, or else the latest.
type found = versions.Found[ticket.CalendarRecord]

// pathOf is the page of a calendar.
func pathOf(key string) string { return "/calendars/" + key }

const (
	listPage  = 50
	maxCursor = 512 // characters
)

// listView is a page of the list.
type listView struct {
	Rows        []ticket.CalendarRecord
	First, Next string
}

func (r *Room) list(v *page.Visit) error {
	cursor, err := v.Ask("cursor", maxCursor)
	if err != nil {
		return err
	}
	var l listView
	var next string
	if l.Rows, next, err = r.Records.CalendarRecords(v.Until, v.Who.App.Tenant, cursor, listPage); err != nil {
		return err
	}
	if cursor != "" {
		l.First = "/calendars"
	}
	if next != "" {
		l.Next = page.Address("/calendars", url.Values{"cursor": {next}})
	}
	return v.Render(http.StatusOK, "calendars/list", v.T("calendars.title"), l)
}
