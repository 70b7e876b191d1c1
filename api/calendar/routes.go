package calendar

import (
	"context"
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
		Put: func(ctx context.Context, tenant, app string, cal calendar.Calendar, text string) (any, error) {
			cal, err := h.Calendars.PublishWrittenCalendar(ctx, tenant, app, cal, text)
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
	return houseapi.DocumentAsWritten(c, record.Calendar, func() (string, error) {
		return h.Calendars.CalendarText(api.Context(c), api.Caller(c).Tenant, record.Key, record.Version)
	})
}

// importHolidays adds the holidays of an iCalendar text to the latest version of a calendar, which makes the next one, or tells what that would do.
func (h *Handler) importHolidays(c *fiber.Ctx, in importing) error {
	key, err := h.versioned().Key(c)
	if err != nil {
		return err
	}
	from, until, err := houseapi.Years(in.From, in.Until, h.now())
	if in.ICS == nil || *in.ICS == "" {
		f := ticket.Faults{ticket.RefuseField(ticket.Invalid, "ics", "is required")}
		if more := ticket.AsError(err); more != nil {
			f.Add(more.Field, more.Message)
		}
		err = f.Err()
	}
	if err != nil {
		return err
	}
	holidays, err := houseapi.ReadHolidays(*in.ICS, from, until)
	if err != nil {
		return err
	}
	app := api.Caller(c)
	merge := func(ctx context.Context) (calendar.Calendar, houseapi.Imported, error) {
		record, err := h.Calendars.CalendarRecord(ctx, app.Tenant, key, 0)
		if err != nil {
			return calendar.Calendar{}, houseapi.Imported{}, err
		}
		return holidays.Into(record.Calendar)
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

func (h *Handler) now() time.Time {
	if h.Now != nil {
		return h.Now()
	}
	return time.Now()
}
