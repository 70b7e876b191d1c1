package issue

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"signalbox/api"
	"signalbox/api/houseapi"
	"signalbox/api/parameter"
	"signalbox/desk"
	"signalbox/notice"
	"signalbox/ticket"
)

// Handler is the issue family. Allow may be empty, and Begin, NewID and Now nil; the rest is needed.
type Handler struct {
	Desk      api.Desk
	Tickets   Tickets
	Services  Services
	Addresses Addresses
	Allow     notice.Reach // where addresses may lead; api.Config.Reach
	// Begin has a redelivery that was asked for begun at once. What it cannot do the sweep does.
	Begin func(ctx context.Context, redelivery string)
	// Hasten is likewise about a lane: houseapi.SubscriptionCalls.Hasten.
	Hasten func(ctx context.Context, lane notice.Lane)
	NewID  func() string    // of messages; random UUIDs
	Now    func() time.Time // time.Now
}

// Family gives the family as the server mounts it.
func (h *Handler) Family() api.Family {
	const one = "/api/issue/:id"
	return api.Family{
		Channel:  ticket.ChannelIssue,
		Prefixes: []string{"/api/issue"},
		Refuse:   houseapi.Refuse,
		Subject:  subject,
		Exact:    true,
		Routes: append([]api.Route{
			{Method: http.MethodPost, Path: "/api/issue", Scope: desk.Write, Handler: api.Body(h.open)},
			{Method: http.MethodGet, Path: "/api/issue", Scope: desk.Read, Query: true, Handler: h.list},
			{Method: http.MethodGet, Path: "/api/issue/changes", Scope: desk.Read, Query: true, Handler: h.changes}, // before :id, which no issue is called
			{Method: http.MethodGet, Path: one, Scope: desk.Read, Handler: h.read},
			{Method: http.MethodGet, Path: one + "/timeline", Scope: desk.Read, Query: true, Handler: h.timeline},
			{Method: http.MethodPut, Path: one + "/status", Scope: desk.Write, Handler: api.Body(h.setStatus)},
			{Method: http.MethodPost, Path: one + "/handle", Scope: desk.Write, Handler: api.Body(h.handle)},
			{Method: http.MethodPost, Path: one + "/migrate", Scope: desk.Admin, Handler: api.Body(h.migrate)},
			{Method: http.MethodGet, Path: one + "/diagram.svg", Scope: desk.Read, Handler: houseapi.Picture(h.drawn)},
			{Method: http.MethodGet, Path: one + "/diagram.dot", Scope: desk.Read, Handler: houseapi.Graph(h.drawn)},
			{Method: http.MethodGet, Path: one + "/relations/:type", Scope: desk.Read, Handler: h.relation},
			{Method: http.MethodPut, Path: one + "/relations/:type", Scope: desk.Write, Handler: h.relate},
			{Method: http.MethodGet, Path: one + "/conversation", Scope: desk.Read, Query: true, Handler: h.messages},
			{Method: http.MethodPost, Path: one + "/conversation", Scope: desk.Write, Handler: h.say},
			{Method: http.MethodGet, Path: one + "/conversation/:cid", Scope: desk.Read, Handler: h.message},
			{Method: http.MethodPut, Path: one + "/conversation/:cid", Scope: desk.Write, Handler: h.revise},
			{Method: http.MethodGet, Path: one + "/follower", Scope: desk.Read, Query: true, Handler: h.followers},
			{Method: http.MethodPut, Path: one + "/follower/:person", Scope: desk.Write, Handler: h.follow(true)},
			{Method: http.MethodDelete, Path: one + "/follower/:person", Scope: desk.Write, Handler: h.follow(false)},
			{Method: http.MethodGet, Path: one + "/notification", Scope: desk.Read, Query: true, Handler: h.addresses},
			{Method: http.MethodPost, Path: one + "/notification", Scope: desk.Write, Handler: api.Body(h.register)},
		}, h.subscriptions().Routes(one+"/notification/:nid")...),
	}
}

func (h *Handler) newID() string {
	if h.NewID != nil {
		return h.NewID()
	}
	return uuid.NewString()
}

func (h *Handler) now() time.Time {
	if h.Now != nil {
		return h.Now()
	}
	return time.Now()
}

// open answers with the number as soon as it is known, which is before anything happens.
func (h *Handler) open(c *fiber.Ctx, in opening) error {
	draft := ticket.Draft{
		Channel: ticket.ChannelIssue, App: api.Caller(c).Code, Service: api.Value(in.Service), Origin: api.Value(in.Origin), Title: api.Value(in.Title),
		Description: api.Value(in.Description), Tags: in.Tag, Opener: api.Value(in.Opener), Assignee: api.Value(in.Assignee),
		Form: in.Fields, Named: in.StateProcessors,
	}
	var f ticket.Faults
	for i, r := range in.Relations {
		if r.Content == nil {
			f.Add(fmt.Sprintf("relations[%d].content", i), "is required")
			continue
		}
		draft.Relations = append(draft.Relations, ticket.Relation{Type: api.Value(r.Type), Content: *r.Content})
	}
	if err := f.Err(); err != nil {
		return err
	}
	if in.CallbackURL != nil {
		if err := h.checkURL("callback_url", *in.CallbackURL); err != nil {
			return err
		}
		draft.Callback = &ticket.Callback{URL: *in.CallbackURL, Format: string(notice.FormatIssue), Profile: notice.Minutely}
	}
	service, err := h.service(c, draft)
	if err != nil {
		return err
	}
	what := desk.Opening{Series: ticket.SeriesIM, Draft: draft, Service: service, Refusal: houseapi.CanBeNamed(service.Definition, draft.Named)}
	return api.Open(c, h.Desk, what, func(id ticket.Identity) any { return houseapi.Done(id.Number) })
}

func (h *Handler) read(c *fiber.Ctx) error {
	r, err := h.record(c)
	if err != nil {
		return err
	}
	return api.Respond(c, http.StatusOK, viewOf(r))
}

func (h *Handler) setStatus(c *fiber.Ctx, in setting) error {
	cmd := ticket.Command{Operator: api.Value(in.Operator), Note: api.Value(in.Reason)}
	var f ticket.Faults
	switch api.Value(in.Status) {
	case ticket.WordOpen:
		cmd.Action = ticket.Reopen
	case ticket.WordClosed:
		cmd.Action = ticket.Close
	case "":
		f.Add("status", "is required: "+ticket.WordOpen+" or "+ticket.WordClosed)
	default:
		f.Add("status", "must be "+ticket.WordOpen+" or "+ticket.WordClosed)
	}
	f.Name("operator", cmd.Operator, 1, ticket.MaxName)
	if err := f.Err(); err != nil {
		return err
	}
	return h.do(c, desk.Handling{Command: cmd}, nil)
}

func (h *Handler) handle(c *fiber.Ctx, in handling) error {
	cmd := ticket.Command{Action: ticket.Action(api.Value(in.Action)), Operator: api.Value(in.Operator), Node: api.Value(in.Node), Round: api.Value(in.Round)}
	var f ticket.Faults
	switch {
	case in.Action == nil || *in.Action == "":
		f.Add("action", "is required")
	case !slices.Contains(ticket.HandleActions, cmd.Action):
		f.Add("action", "is none of "+strings.Join(api.Each(ticket.HandleActions, func(a ticket.Action) string { return string(a) }), ", "))
	}
	f.Name("operator", cmd.Operator, 1, ticket.MaxName)
	if in.Round != nil && *in.Round < 1 {
		f.Add("round", "must be at least 1")
	}
	if err := f.Err(); err != nil {
		return err
	}
	if err := parameter.Misplaced(in.Others, inner, in.Parameter, outer); err != nil {
		return err
	}
	if err := in.more(&cmd); err != nil {
		return err
	}
	if err := parameter.Fill(&cmd, in.Parameter); err != nil {
		return err
	}
	return h.do(c, desk.Handling{Command: cmd}, nil)
}

// do hands what is to be done to the desk for the ticket that the path names, and answers with the result.
func (h *Handler) do(c *fiber.Ctx, what desk.Handling, result any) (err error) {
	if what.Ticket, err = ticketKey(c); err != nil {
		return err
	}
	return api.Handle(c, h.Desk, what, houseapi.Done(result))
}

// ticket finds the ticket that the path names, among the caller's own.
func (h *Handler) ticket(c *fiber.Ctx) (ticket.Ticket, error) {
	key, err := ticketKey(c)
	if err != nil {
		return ticket.Ticket{}, err
	}
	return h.Tickets.Ticket(api.Context(c), api.Caller(c).Tenant, key)
}

// record is ticket with what is shown beside it.
func (h *Handler) record(c *fiber.Ctx) (ticket.Record, error) {
	key, err := ticketKey(c)
	if err != nil {
		return ticket.Record{}, err
	}
	return h.Tickets.Record(api.Context(c), api.Caller(c).Tenant, key)
}

var (
	errNoIssue   = ticket.Refuse(ticket.NotFound, "there is no such issue")
	errNoMessage = ticket.Refuse(ticket.NotFound, "the issue has no such message")
	errNoAddress = ticket.Refuse(ticket.NotFound, "the issue has no such notification")
)

// ticketKey gives the number or UUID that the path names an issue by.
func ticketKey(c *fiber.Ctx) (string, error) {
	key, err := houseapi.Word(c, "id", errNoIssue)
	if err != nil {
		return "", err
	}
	if id, err := uuid.Parse(key); err == nil {
		return id.String(), nil
	}
	return key, nil
}
