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
	Types     []string     // words taken for mtm_type; api.Config.IncidentTypes
	Allow     notice.Reach // where addresses may lead; api.Config.Reach
	// Begin has a redelivery that was asked for begun at once. What it cannot do the sweep does.
	Begin func(ctx context.Context, redelivery string)
	NewID func() string    // of messages; random UUIDs
	Now   func() time.Time // time.Now
}

// Family gives the wing as the server mounts it.
func (w *Handler) Family() api.Family {
	const one = "/api/issue/:id"
	owed := w.owed()
	return api.Family{
		Channel:  ticket.ChannelIssue,
		Prefixes: []string{"/api/issue"},
		Refuse:   Refuse,
		Routes: []api.Route{
			{Method: http.MethodPost, Path: "/api/issue", Scope: desk.Write, Handler: w.open},
			{Method: http.MethodGet, Path: "/api/issue", Scope: desk.Read, Handler: w.list},
			{Method: http.MethodGet, Path: one, Scope: desk.Read, Handler: w.read},
			{Method: http.MethodGet, Path: one + "/timeline", Scope: desk.Read, Handler: w.timeline},
			{Method: http.MethodPut, Path: one + "/status", Scope: desk.Write, Handler: w.setStatus},
			{Method: http.MethodPost, Path: one + "/handle", Scope: desk.Write, Handler: w.handle},
			{Method: http.MethodPost, Path: one + "/migrate", Scope: desk.Admin, Handler: w.migrate},
			{Method: http.MethodGet, Path: one + "/diagram.svg", Scope: desk.Read, Handler: w.diagram},
			{Method: http.MethodGet, Path: one + "/diagram.dot", Scope: desk.Read, Handler: w.graph},
			{Method: http.MethodGet, Path: one + "/relations/:type", Scope: desk.Read, Handler: w.relation},
			{Method: http.MethodPut, Path: one + "/relations/:type", Scope: desk.Write, Handler: w.relate},
			{Method: http.MethodGet, Path: one + "/conversation", Scope: desk.Read, Handler: w.messages},
			{Method: http.MethodPost, Path: one + "/conversation", Scope: desk.Write, Handler: w.say},
			{Method: http.MethodGet, Path: one + "/conversation/:cid", Scope: desk.Read, Handler: w.message},
			{Method: http.MethodPut, Path: one + "/conversation/:cid", Scope: desk.Write, Handler: w.revise},
			{Method: http.MethodGet, Path: one + "/notification", Scope: desk.Read, Handler: w.addresses},
			{Method: http.MethodPost, Path: one + "/notification", Scope: desk.Write, Handler: w.register},
			{Method: http.MethodDelete, Path: one + "/notification/:nid", Scope: desk.Write, Handler: w.unregister},
			{Method: http.MethodPost, Path: one + "/notification/:nid/rotate", Scope: desk.Write, Handler: w.rotate},
			{Method: http.MethodGet, Path: one + "/notification/:nid/deliveries", Scope: desk.Read, Handler: owed.List},
			{Method: http.MethodGet, Path: one + "/notification/:nid/deliveries/:did", Scope: desk.Read, Handler: owed.Show},
			{Method: http.MethodPost, Path: one + "/notification/:nid/deliveries/:did/redeliver", Scope: desk.Write, Handler: owed.SendAgain},
			{Method: http.MethodPost, Path: one + "/notification/:nid/redeliver", Scope: desk.Write, Handler: owed.SendManyAgain},
			{Method: http.MethodGet, Path: one + "/notification/:nid/redeliver/:rid", Scope: desk.Read, Handler: owed.HowFar},
		},
	}
}

func (w *Handler) newID() string {
	if w.NewID != nil {
		return w.NewID()
	}
	return uuid.NewString()
}

func (w *Handler) now() time.Time {
	if w.Now != nil {
		return w.Now()
	}
	return time.Now()
}

// open answers with the number as soon as it is known, which is before anything happens.
func (w *Handler) open(c *fiber.Ctx) error {
	var in opening
	if err := api.Decode(c, &in); err != nil {
		return err
	}
	draft := ticket.Draft{
		Channel: ticket.ChannelIssue, App: api.Caller(c).Code, Service: value(in.Service), Origin: value(in.Origin), Title: value(in.Title),
		Description: value(in.Description), Tags: in.Tag, Opener: value(in.Opener), Assignee: value(in.Assignee),
		Form: in.Fields, Named: in.StateProcessors,
	}
	var f ticket.Faults
	for i, r := range in.Relations {
		if r.Content == nil {
			f.Add(fmt.Sprintf("relations[%d].content", i), "is required")
			continue
		}
		draft.Relations = append(draft.Relations, ticket.Relation{Type: value(r.Type), Content: *r.Content})
	}
	if err := f.Err(); err != nil {
		return err
	}
	if in.CallbackURL != nil {
		if err := w.checkURL("callback_url", *in.CallbackURL); err != nil {
			return err
		}
		draft.Callback = &ticket.Callback{URL: *in.CallbackURL, Format: string(notice.FormatIssue), Profile: notice.Minutely}
	}
	gate, err := w.pin(c, &draft)
	if err != nil {
		return err
	}
	// The bytes must be the same whoever gives the answer, so it is made from the identity alone.
	reply, err := w.Desk.Open(api.Context(c), api.Request(c), desk.Opening{Series: ticket.SeriesIM, Draft: draft, Gate: gate, Answer: func(id ticket.Identity) desk.Answer {
		raw, _ := api.Marshal(done(id.Number)) // a string always marshals
		return desk.Answer{Status: http.StatusOK, Body: raw}
	}})
	return send(c, reply, err)
}

func (w *Handler) read(c *fiber.Ctx) error {
	t, err := w.ticket(c)
	if err != nil {
		return err
	}
	relations, err := w.Tickets.Relations(api.Context(c), t.ID)
	if err != nil {
		return err
	}
	return api.Respond(c, http.StatusOK, viewOf(t, relations))
}

func (w *Handler) setStatus(c *fiber.Ctx) error {
	var in setting
	if err := api.Decode(c, &in); err != nil {
		return err
	}
	cmd := ticket.Command{Operator: value(in.Operator), Note: value(in.Reason)}
	var f ticket.Faults
	switch value(in.Status) {
	case statusOpen:
		cmd.Action = ticket.Reopen
	case statusClosed:
		cmd.Action = ticket.Close
	case "":
		f.Add("status", "is required: "+statusOpen+" or "+statusClosed)
	default:
		f.Add("status", "must be "+statusOpen+" or "+statusClosed)
	}
	f.Name("operator", cmd.Operator, 1, ticket.MaxName)
	if err := f.Err(); err != nil {
		return err
	}
	return w.do(c, cmd, done(nil))
}

func (w *Handler) handle(c *fiber.Ctx) error {
	var in handling
	if err := api.Decode(c, &in); err != nil {
		return err
	}
	cmd := ticket.Command{Action: ticket.Action(value(in.Action)), Operator: value(in.Operator), Node: value(in.Node)}
	var f ticket.Faults
	switch {
	case in.Action == nil || *in.Action == "":
		f.Add("action", "is required")
	case !slices.Contains(ticket.HandleActions, cmd.Action):
		f.Add("action", "is none of "+words(ticket.HandleActions))
	}
	f.Name("operator", cmd.Operator, 1, ticket.MaxName)
	if err := f.Err(); err != nil {
		return err
	}
	if err := in.more(&cmd); err != nil {
		return err
	}
	if err := api.Parameter(&cmd, in.Parameter, w.Types); err != nil {
		return err
	}
	return w.do(c, cmd, done(nil))
}

// do hands a command to the desk for the ticket that the path names.
func (w *Handler) do(c *fiber.Ctx, cmd ticket.Command, answer envelope) error {
	key, err := ticketKey(c)
	if err != nil {
		return err
	}
	ready, err := api.Answer(http.StatusOK, answer)
	if err != nil {
		return err
	}
	reply, err := w.Desk.Handle(api.Context(c), api.Request(c), desk.Handling{Ticket: key, Command: cmd, Answer: ready})
	return send(c, reply, err)
}

// record hands the desk what touches the database alone, for the ticket that the path names.
func (w *Handler) record(c *fiber.Ctx, effect func(ctx context.Context, t ticket.Ticket) (result any, err error)) error {
	return w.keep(c, false, effect)
}

// keep is record; secret tells that the answer has one.
func (w *Handler) keep(c *fiber.Ctx, secret bool, effect func(ctx context.Context, t ticket.Ticket) (result any, err error)) error {
	t, err := w.ticket(c)
	if err != nil {
		return err
	}
	return api.Transact(c, w.Desk, secret, func(ctx context.Context) (any, error) { return effect(ctx, t) })
}

// ticket finds the ticket that the path names, among the caller's own.
func (w *Handler) ticket(c *fiber.Ctx) (ticket.Ticket, error) {
	key, err := ticketKey(c)
	if err != nil {
		return ticket.Ticket{}, err
	}
	return w.Tickets.Ticket(api.Context(c), api.Caller(c).Tenant, key)
}

var errNoIssue = ticket.Refuse(ticket.NotFound, "there is no such issue")

// ticketKey gives the number or UUID that the path names an issue by.
func ticketKey(c *fiber.Ctx) (string, error) {
	key, err := word(c, "id")
	if err != nil {
		return "", errNoIssue
	}
	if id, err := uuid.Parse(key); err == nil {
		return id.String(), nil
	}
	return key, nil
}

// word gives a parameter of the path that names something: a short identifier.
func word(c *fiber.Ctx, name string) (string, error) {
	value, err := api.Param(c, name)
	if err != nil {
		return "", err
	}
	var f ticket.Faults
	f.Word(name, value, ticket.MaxRelationType)
	return value, f.Err()
}

func send(c *fiber.Ctx, reply desk.Reply, err error) error {
	if err != nil {
		return err
	}
	return api.Send(c, reply)
}

func words[T ~string](list []T) string {
	return strings.Join(each(list, func(w T) string { return string(w) }), ", ")
}
