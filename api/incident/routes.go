// Package incident is the incident family: seed 001's handle call, and create, detail, lists and list-histories as clients of the original system
// (Huawei Cloud COC) know them.
package incident

import (
	"context"
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"signalbox/api"
	"signalbox/api/sdkhmac"
	"signalbox/desk"
	"signalbox/ticket"
)

// Reader is the read model as this family sees it.
type Reader interface {
	// Ticket finds by number or UUID; NotFound when the tenant has no such ticket.
	Ticket(ctx context.Context, tenant, key string) (ticket.Ticket, error)
	// Timeline gives events after a sequence number, oldest first.
	Timeline(ctx context.Context, ticketID int64, after int64, limit int) ([]ticket.Event, error)
	// Search gives a page, newest first, and how many there are on all pages.
	Search(ctx context.Context, tenant string, f ticket.Search) (items []ticket.Ticket, total int, err error)
}

// Handler is the incident family. All members are needed.
type Handler struct {
	Desk   api.Desk
	Reader Reader
	Apps   api.Apps         // whose signatures are taken
	Now    func() time.Time // the clock that dates of signatures are held against
	Types  []string         // words taken for incident_type; api.Config.IncidentTypes
}

const pathHandle = "/v1/external/incident/handle"

// Family gives the family as the server mounts it. Whatever is asked for under /v1 or /v2 and belongs to nobody else is refused in this
// family's words, as the gateway of the original system does.
func (h *Handler) Family() api.Family {
	const histories = "/v1/:ticket_type/list-histories"
	return api.Family{
		Channel:      ticket.ChannelIncident,
		Prefixes:     []string{"/v1", "/v2"},
		Refuse:       refuse,
		Subject:      subject,
		Headers:      sdkhmac.Headers,
		Authenticate: []api.Authenticator{sdkhmac.Authenticator(h.Apps, h.Now)},
		Routes: []api.Route{
			{Method: http.MethodPost, Path: pathHandle, Scope: desk.Write, Handler: api.Body(h.handle)},
			{Method: http.MethodPost, Path: "/v1/external/incident/create", Scope: desk.Write, Handler: api.Body(h.create)},
			{Method: http.MethodGet, Path: "/v1/incident-tickets", Scope: desk.Read, Handler: h.list},
			{Method: http.MethodGet, Path: "/v1/external/issues/:ticket_id", Scope: desk.Read, Handler: h.issue},
			{Method: http.MethodGet, Path: "/v1/external/incident/:incident_num", Scope: desk.Read, Handler: h.detail},
			{Method: http.MethodPost, Path: "/v1/external/:ticket_type/list-histories", Operation: histories, Scope: desk.Read, Handler: h.histories},
			{Method: http.MethodPost, Path: histories, Scope: desk.Read, Handler: h.histories},
		},
	}
}

func (h *Handler) handle(c *fiber.Ctx, in handling) error {
	cmd, err := in.command()
	if err != nil {
		return err
	}
	return api.Handle(c, h.Desk, desk.Handling{Ticket: keyOf(*in.Number), Command: cmd}, done(nil))
}

func (h *Handler) create(c *fiber.Ctx, in creation) error {
	draft, err := in.draft(h.Types)
	if err != nil {
		return err
	}
	draft.App = api.Caller(c).Code
	return api.Open(c, h.Desk, desk.Opening{Series: ticket.SeriesIM, Draft: draft}, func(id ticket.Identity) any { return done(created{id.Number}) })
}

func (h *Handler) detail(c *fiber.Ctx) error {
	number, err := api.Param(c, "incident_num")
	switch {
	case err != nil:
		return err
	case number == "handle" || number == "create":
		// These are calls, not incidents; they take POST.
		return ticket.Refuse(api.NoMethod, "the path does not take this method")
	}
	t, err := h.ticket(c, "incident_num", number)
	if err != nil {
		return err
	}
	return api.Respond(c, http.StatusOK, done(detailOf(t)))
}

func (h *Handler) histories(c *fiber.Ctx) error {
	kind, err := api.Param(c, "ticket_type")
	switch {
	case err != nil:
		return err
	case kind != "incident" && kind != "issues_mgmt":
		var f ticket.Faults
		foreign(&f, "ticket_type", kind)
		return f.Err()
	}
	var in search
	if err := api.Decode(c, &in); err != nil {
		return err
	}
	page, err := in.page()
	if err != nil {
		return err
	}
	t, err := h.ticket(c, page.field, page.ticket)
	if err != nil {
		return err
	}
	after, limit := page.window(t.Seq)
	var events []ticket.Event
	if limit > 0 {
		if events, err = h.Reader.Timeline(api.Context(c), t.ID, after, limit); err != nil {
			return err
		}
	}
	return api.Respond(c, http.StatusOK, done(historyOf(t, events, page.newestFirst)))
}

// ticket finds one of the caller's own tickets; field is where the caller named it.
func (h *Handler) ticket(c *fiber.Ctx, field, number string) (ticket.Ticket, error) {
	var f ticket.Faults
	f.Name(field, number, 1, ticket.MaxName)
	if err := f.Err(); err != nil {
		return ticket.Ticket{}, err
	}
	return h.Reader.Ticket(api.Context(c), api.Caller(c).Tenant, keyOf(number))
}

// keyOf spells a UUID as tickets do; a number stays as it is.
func keyOf(number string) string {
	if id, err := uuid.Parse(number); err == nil {
		return id.String()
	}
	return number
}
