package calendar

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
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
	return api.Family{
		Channel:  ticket.ChannelIssue,
		Prefixes: []string{all},
		Refuse:   houseapi.Refuse,
		Exact:    true,
		Routes: []api.Route{
			{Method: http.MethodPost, Path: all, Scope: desk.Admin, Handler: h.publish},
			{Method: http.MethodGet, Path: all, Scope: desk.Read, Handler: h.list},
			{Method: http.MethodPost, Path: all + "/check", Scope: desk.Read, Handler: h.check},
			{Method: http.MethodGet, Path: one, Scope: desk.Read, Handler: h.read},
			{Method: http.MethodPut, Path: one, Scope: desk.Admin, Handler: h.enable},
			{Method: http.MethodPost, Path: one + "/import", Scope: desk.Admin, Handler: api.Body(h.importHolidays)},
			{Method: http.MethodGet, Path: one + "/versions", Scope: desk.Read, Handler: h.versions},
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

// publish makes a document the next version of its calendar.
func (h *Handler) publish(c *fiber.Ctx) error {
	cal, faults, err := document(c)
	if err != nil {
		return err
	}
	if len(faults) > 0 {
		return houseapi.Faulty(c, "the calendar", faults)
	}
	app := api.Caller(c)
	return houseapi.Transact(c, h.Desk, false, func(ctx context.Context) (any, error) {
		cal, err := h.Calendars.PublishCalendar(ctx, app.Tenant, app.Code, cal)
		return published{cal.Key, cal.Version}, err
	})
}

// check tells what is wrong with a document, and publishes nothing.
func (h *Handler) check(c *fiber.Ctx) error {
	_, faults, err := document(c)
	if err != nil {
		return err
	}
	return houseapi.Verdict(c, faults)
}

func (h *Handler) list(c *fiber.Ctx) error {
	records, err := h.Calendars.CalendarRecords(api.Context(c), api.Caller(c).Tenant)
	if err != nil {
		return err
	}
	return houseapi.Respond(c, houseapi.Items[line]{Items: api.Each(records, lineOf)})
}

func (h *Handler) versions(c *fiber.Ctx) error {
	key, err := keyOf(c)
	if err != nil {
		return err
	}
	records, err := h.Calendars.CalendarVersions(api.Context(c), api.Caller(c).Tenant, key)
	if err != nil {
		return err
	}
	return houseapi.Respond(c, houseapi.Items[version]{Items: api.Each(records, versionOf)})
}

// read shows a calendar as it can be published again.
func (h *Handler) read(c *fiber.Ctx) error {
	key, err := keyOf(c)
	if err != nil {
		return err
	}
	number := 0
	if text := c.Params("version"); text != "" {
		if number, err = strconv.Atoi(text); err != nil || number < 1 {
			return ticket.Refuse(ticket.NotFound, "the calendar has no such version")
		}
	}
	record, err := h.Calendars.CalendarRecord(api.Context(c), api.Caller(c).Tenant, key, min(number, 1<<31-1))
	if err != nil {
		return err
	}
	record.Offsets = nil // which are no part of a document
	return houseapi.Document(c, record.Calendar)
}

// enable says whether services may name a calendar from now on.
func (h *Handler) enable(c *fiber.Ctx) error {
	key, err := keyOf(c)
	if err != nil {
		return err
	}
	var in enabling
	if err := api.Decode(c, &in); err != nil {
		return err
	}
	if in.Enabled == nil {
		return ticket.RefuseField(ticket.Invalid, "enabled", "is required")
	}
	return houseapi.Transact(c, h.Desk, false, func(ctx context.Context) (any, error) {
		return nil, h.Calendars.EnableCalendar(ctx, api.Caller(c).Tenant, key, *in.Enabled)
	})
}

// importHolidays adds the holidays of an iCalendar text to the latest version of a calendar, which makes the next one, or tells what that would do.
func (h *Handler) importHolidays(c *fiber.Ctx, in importing) error {
	key, err := keyOf(c)
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

// keyOf gives the key of the calendar that the path names.
func keyOf(c *fiber.Ctx) (string, error) { return houseapi.Word(c, "key", errNoCalendar) }

var errNoCalendar = ticket.Refuse(ticket.NotFound, "there is no such calendar")

func (h *Handler) now() time.Time {
	if h.Now != nil {
		return h.Now()
	}
	return time.Now()
}
