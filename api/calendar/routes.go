package calendar

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/api/houseapi"
	"signalbox/calendar"
	"signalbox/desk"
	"signalbox/flow"
	"signalbox/ticket"
)

// Handler is the calendars' part of the house API. Now may be nil.
type Handler struct {
	Desk      api.Desk
	Calendars Calendars
	Now       func() time.Time // time.Now
}

// Family gives the family as the server mounts it.
func (h *Handler) Family() api.Family {
	const all, one = "/api/calendar", "/api/calendar/:key"
	common := h.versioned()
	return api.Family{
		Channel:  ticket.ChannelIssue,
		Prefixes: []string{all},
		Refuse:   houseapi.Refuse,
		Exact:    true,
		Routes: []api.Route{
			{Method: http.MethodPost, Path: all, Scope: desk.Admin, Handler: common.Publish},
			{Method: http.MethodGet, Path: all, Scope: desk.Read, Query: true, Handler: h.list},
			{Method: http.MethodPost, Path: all + "/check", Scope: desk.Read, Handler: common.Check},
			{Method: http.MethodGet, Path: one, Scope: desk.Read, Handler: h.read},
			{Method: http.MethodPut, Path: one, Scope: desk.Admin, Handler: common.Enable},
			{Method: http.MethodPost, Path: one + "/import", Scope: desk.Admin, Handler: api.Body(h.importHolidays)},
			{Method: http.MethodGet, Path: one + "/versions", Scope: desk.Read, Query: true, Handler: h.versions},
			{Method: http.MethodGet, Path: one + "/versions/:version", Scope: desk.Read, Handler: h.read},
		},
	}
}

// document reads the calendar that a request's body is, and tells what is wrong with it.
func document(c *fiber.Ctx) (calendar.Calendar, flow.Faults, error) {
	source, err := houseapi.Source(c, "a calendar", ticket.MaxCalendar)
	if err != nil {
		return calendar.Calendar{}, nil, err
	}
	cal, faults := flow.ParseCalendar(source, time.LoadLocation)
	return cal, faults, nil
}

// versioned are the calls that calendars share with services.
func (h *Handler) versioned() houseapi.Versioned[calendar.Calendar] {
	return houseapi.Versioned[calendar.Calendar]{Desk: h.Desk, Kind: "calendar", Document: "the calendar", Read: document,
		Put: func(ctx context.Context, tenant, app string, cal calendar.Calendar) (any, error) {
			cal, err := h.Calendars.PublishCalendar(ctx, tenant, app, cal)
			return published{cal.Key, cal.Version}, err
		},
		Switch: func(ctx context.Context, tenant, key string, enabled bool) error {
			return h.Calendars.EnableCalendar(ctx, tenant, key, enabled)
		}}
}

func (h *Handler) list(c *fiber.Ctx) error {
	return houseapi.List(c, h.Calendars.CalendarRecords, lineOf)
}

func (h *Handler) versions(c *fiber.Ctx) error {
	return houseapi.Versions(c, h.versioned(), h.Calendars.CalendarVersions, versionOf)
}

// read shows a calendar as it can be published again.
func (h *Handler) read(c *fiber.Ctx) error {
	key, number, err := h.versioned().Named(c)
	if err != nil {
		return err
	}
	record, err := h.Calendars.CalendarRecord(api.Context(c), api.Caller(c).Tenant, key, number)
	if err != nil {
		return err
	}
	record.Offsets = nil // which are no part of a document
	return houseapi.Document(c, record.Calendar)
}

// importHolidays adds the holidays of an iCalendar text to the latest version of a calendar, which makes the next one, or tells what that would do.
func (h *Handler) importHolidays(c *fiber.Ctx, in importing) error {
	key, err := h.versioned().Key(c)
	if err != nil {
		return err
	}
	year := h.now().UTC().Year()
	from, until := year, year+5
	var f ticket.Faults
	if in.ICS == nil || *in.ICS == "" {
		f.Add("ics", "is required")
	}
	for _, bound := range []struct {
		field string
		given *int
		to    *int
	}{{"from", in.From, &from}, {"until", in.Until, &until}} {
		if bound.given != nil {
			*bound.to = *bound.given
		}
		if *bound.to < calendar.FirstYear || *bound.to > calendar.LastYear {
			f.Add(bound.field, fmt.Sprintf("must be a year from %d to %d", calendar.FirstYear, calendar.LastYear))
		}
	}
	if until < from {
		f.Add("until", "must not be before from")
	}
	if err := f.Err(); err != nil {
		return err
	}
	list, left, err := holidaysOf(*in.ICS, from, until)
	if err != nil {
		return err
	}
	app := api.Caller(c)
	merge := func(ctx context.Context) (calendar.Calendar, imported, error) {
		record, err := h.Calendars.CalendarRecord(ctx, app.Tenant, key, 0)
		if err != nil {
			return calendar.Calendar{}, imported{}, err
		}
		cal, out := merged(record.Calendar, list)
		out.Left = api.List(left)
		if zone, err := time.LoadLocation(cal.Zone); err == nil {
			cal.Offsets = calendar.OffsetsOf(zone)
		}
		if _, faults := calendar.Compile(cal); len(faults) > 0 {
			return cal, out, ticket.RefuseField(ticket.Invalid, "ics", "with these holidays the calendar's "+faults[0].Path+" "+faults[0].Message)
		}
		return cal, out, nil
	}
	if api.Value(in.DryRun) {
		_, out, err := merge(api.Context(c))
		if err != nil {
			return err
		}
		return houseapi.Respond(c, out)
	}
	return houseapi.Transact(c, h.Desk, false, func(ctx context.Context) (any, error) {
		cal, out, err := merge(ctx)
		if err != nil {
			return nil, err
		}
		cal, err = h.Calendars.PublishCalendar(ctx, app.Tenant, app.Code, cal)
		out.Version = cal.Version
		return out, err
	})
}

// merged gives a calendar with more holidays. A date that it has keeps what it has: what a tenant wrote counts for more than what is imported.
func merged(cal calendar.Calendar, list []calendar.Holiday) (calendar.Calendar, imported) {
	has := map[string]bool{}
	for _, d := range cal.Holidays {
		has[d.Date] = true
	}
	for _, d := range cal.WorkingDays {
		has[d.Date] = true
	}
	out := imported{Key: cal.Key, Version: cal.Version, Added: []calendar.Holiday{}}
	for _, d := range list {
		if has[d.Date] {
			out.Had++
			continue
		}
		out.Added = append(out.Added, d)
	}
	cal.Holidays = append(cal.Holidays[:len(cal.Holidays):len(cal.Holidays)], out.Added...)
	return cal, out
}

func (h *Handler) now() time.Time {
	if h.Now != nil {
		return h.Now()
	}
	return time.Now()
}
