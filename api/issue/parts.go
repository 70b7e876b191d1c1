package issue

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/api/houseapi"
	"signalbox/desk"
	"signalbox/notice"
	"signalbox/ticket"
)

// relation shows one relation; unlike the others of an issue, a type that it never had does not exist.
func (h *Handler) relation(c *fiber.Ctx) error {
	kind, err := word(c, "type")
	if err != nil {
		return err
	}
	t, err := h.ticket(c)
	if err != nil {
		return err
	}
	relations, err := h.Tickets.Relations(api.Context(c), t)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(relations, func(r ticket.Relation) bool { return r.Type == kind })
	if i < 0 {
		return ticket.RefuseField(ticket.NotFound, "type", "the issue has no relation of this type")
	}
	return api.Respond(c, http.StatusOK, ticket.Relation{Type: kind, Content: api.List(relations[i].Content)})
}

// relate replaces the whole content of one relation: that is how items are added and removed.
func (h *Handler) relate(c *fiber.Ctx) error {
	kind, err := word(c, "type")
	if err != nil {
		return err
	}
	var in relating
	if err := api.Decode(c, &in); err != nil {
		return err
	}
	var f ticket.Faults
	if in.Type != nil && *in.Type != kind {
		f.Add("type", "must agree with the path")
	}
	if in.Content == nil {
		f.Add("content", "is required")
	}
	if err := f.Err(); err != nil {
		return err
	}
	return h.do(c, desk.Handling{Command: ticket.Command{Action: ticket.Relate, Relation: &ticket.Relation{Type: kind, Content: *in.Content}}}, done(nil))
}

// messages lists a conversation. A page is as large as pages can be unless asked for smaller: most conversations are one page.
func (h *Handler) messages(c *fiber.Ctx) error {
	q, err := api.ReadQuery(c)
	if err != nil {
		return err
	}
	limit, after := int(q.Whole("limit", ticket.MaxPage, 1, ticket.MaxPage)), int(q.Whole("after", 0, 0, ticket.MaxMessages))
	if err := q.Err(); err != nil {
		return err
	}
	t, err := h.ticket(c)
	if err != nil {
		return err
	}
	// One more than asked for tells whether there is another page.
	records, err := h.Tickets.Messages(api.Context(c), t.ID, after, limit+1)
	if err != nil {
		return err
	}
	var next string
	if len(records) > limit {
		records, next = records[:limit], strconv.Itoa(after+limit)
	}
	return api.Respond(c, http.StatusOK, done(list[message]{Items: api.Each(records, messageOf), Next: next}))
}

var errNoMessage = ticket.Refuse(ticket.NotFound, "the issue has no such message")

func (h *Handler) message(c *fiber.Ctx) error {
	cid, err := word(c, "cid")
	if err != nil {
		return errNoMessage
	}
	t, err := h.ticket(c)
	if err != nil {
		return err
	}
	m, err := h.Tickets.Message(api.Context(c), t.ID, cid)
	switch {
	case ticket.Is(err, ticket.NotFound):
		return errNoMessage
	case err != nil:
		return err
	}
	return api.Respond(c, http.StatusOK, done(messageOf(m)))
}

func (h *Handler) say(c *fiber.Ctx) error { return h.speak(c, ticket.Say, h.newID()) }

func (h *Handler) revise(c *fiber.Ctx) error {
	cid, err := word(c, "cid")
	if err != nil {
		return errNoMessage
	}
	return h.speak(c, ticket.Revise, cid)
}

func (h *Handler) speak(c *fiber.Ctx, action ticket.Action, cid string) error {
	var in saying
	if err := api.Decode(c, &in); err != nil {
		return err
	}
	m := ticket.Message{ID: cid, Author: api.Value(in.Author), Content: api.Value(in.Content)}
	cmd := ticket.Command{Action: action, Message: &m}
	if err := cmd.Check(); err != nil {
		return err
	}
	// Who writes is who acts: the timeline names the author. Set after the check, which would otherwise tell of an operator nobody named.
	cmd.Operator = m.Author
	return h.do(c, desk.Handling{Command: cmd}, done(id{ID: cid}))
}

func (h *Handler) addresses(c *fiber.Ctx) error {
	t, err := h.ticket(c)
	if err != nil {
		return err
	}
	registered, err := h.Addresses.Registered(api.Context(c), t.ID)
	if err != nil {
		return err
	}
	return api.Respond(c, http.StatusOK, done(list[address]{Items: api.Each(registered, addressOf)}))
}

func (h *Handler) register(c *fiber.Ctx, in registering) error {
	if err := h.checkURL("url", api.Value(in.URL)); err != nil {
		return err
	}
	return h.transact(c, false, func(ctx context.Context, t ticket.Ticket) (any, error) {
		s, err := h.Addresses.Register(ctx, t, *in.URL)
		return id{ID: s.ID}, err
	})
}

// checkURL refuses an address that could never be told anything, naming the member that it came in.
func (h *Handler) checkURL(field, raw string) error {
	err := notice.CheckURL(raw, h.Allow)
	if refusal := ticket.AsError(err); refusal != nil {
		return ticket.RefuseField(refusal.Code, field, refusal.Message)
	}
	return err
}

var errNoAddress = ticket.Refuse(ticket.NotFound, "the issue has no such notification")

func (h *Handler) unregister(c *fiber.Ctx) error {
	nid, err := word(c, "nid")
	if err != nil {
		return errNoAddress
	}
	return h.transact(c, false, func(ctx context.Context, t ticket.Ticket) (any, error) {
		return nil, h.Addresses.Unregister(ctx, t.ID, nid)
	})
}

// rotate tells the secret that an address is signed with, which nobody can ask for: a new one.
func (h *Handler) rotate(c *fiber.Ctx) error {
	nid, err := word(c, "nid")
	if err != nil {
		return errNoAddress
	}
	return h.transact(c, true, func(ctx context.Context, t ticket.Ticket) (any, error) {
		secret, err := h.Addresses.RotateAddress(ctx, t.ID, nid)
		return houseapi.Rotated{ID: nid, Secret: secret}, err
	})
}
