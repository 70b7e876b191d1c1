package issue

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/notice"
	"signalbox/ticket"
)

// relation shows one relation; unlike the others of an issue, a type that it never had does not exist.
func (w *Handler) relation(c *fiber.Ctx) error {
	kind, err := word(c, "type")
	if err != nil {
		return err
	}
	t, err := w.ticket(c)
	if err != nil {
		return err
	}
	relations, err := w.Tickets.Relations(api.Context(c), t.ID)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(relations, func(r ticket.Relation) bool { return r.Type == kind })
	if i < 0 {
		return ticket.RefuseField(ticket.NotFound, "type", "the issue has no relation of this type")
	}
	return api.Respond(c, http.StatusOK, ticket.Relation{Type: kind, Content: full(relations[i].Content)})
}

// relate replaces the whole content of one relation: that is how items are added and removed.
func (w *Handler) relate(c *fiber.Ctx) error {
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
	return w.do(c, ticket.Command{Action: ticket.Relate, Relation: &ticket.Relation{Type: kind, Content: *in.Content}}, done(nil))
}

// messages lists a conversation. A page is as large as pages can be unless asked for smaller: most conversations are one page.
func (w *Handler) messages(c *fiber.Ctx) error {
	q, err := api.ReadQuery(c)
	if err != nil {
		return err
	}
	limit, after := int(q.Number("limit", ticket.MaxPage, 1, ticket.MaxPage)), int(q.Number("after", 0, 0, ticket.MaxMessages))
	if err := q.Err(); err != nil {
		return err
	}
	t, err := w.ticket(c)
	if err != nil {
		return err
	}
	// One more than asked for tells whether there is another page.
	records, err := w.Tickets.Messages(api.Context(c), t.ID, after, limit+1)
	if err != nil {
		return err
	}
	var next string
	if len(records) > limit {
		records, next = records[:limit], strconv.Itoa(after+limit)
	}
	return api.Respond(c, http.StatusOK, done(list[message]{Items: each(records, messageOf), Next: next}))
}

var errNoMessage = ticket.Refuse(ticket.NotFound, "the issue has no such message")

func (w *Handler) message(c *fiber.Ctx) error {
	cid, err := word(c, "cid")
	if err != nil {
		return errNoMessage
	}
	t, err := w.ticket(c)
	if err != nil {
		return err
	}
	m, err := w.Tickets.Message(api.Context(c), t.ID, cid)
	switch {
	case ticket.Is(err, ticket.NotFound):
		return errNoMessage
	case err != nil:
		return err
	}
	return api.Respond(c, http.StatusOK, done(messageOf(m)))
}

func (w *Handler) say(c *fiber.Ctx) error { return w.speak(c, ticket.Say, w.newID()) }

func (w *Handler) revise(c *fiber.Ctx) error {
	cid, err := word(c, "cid")
	if err != nil {
		return errNoMessage
	}
	return w.speak(c, ticket.Revise, cid)
}

func (w *Handler) speak(c *fiber.Ctx, action ticket.Action, cid string) error {
	var in saying
	if err := api.Decode(c, &in); err != nil {
		return err
	}
	m := ticket.Message{ID: cid, Author: value(in.Author), Content: value(in.Content)}
	cmd := ticket.Command{Action: action, Message: &m}
	if err := cmd.Check(); err != nil {
		return err
	}
	// Who writes is who acts: the timeline names the author. Set after the check, which would otherwise tell of an operator nobody named.
	cmd.Operator = m.Author
	return w.do(c, cmd, done(id{ID: cid}))
}

func (w *Handler) addresses(c *fiber.Ctx) error {
	t, err := w.ticket(c)
	if err != nil {
		return err
	}
	registered, err := w.Addresses.Registered(api.Context(c), t.ID)
	if err != nil {
		return err
	}
	return api.Respond(c, http.StatusOK, done(list[address]{Items: each(registered, addressOf)}))
}

func (w *Handler) register(c *fiber.Ctx) error {
	var in registering
	if err := api.Decode(c, &in); err != nil {
		return err
	}
	if err := w.checkURL("url", value(in.URL)); err != nil {
		return err
	}
	return w.record(c, func(ctx context.Context, t ticket.Ticket) (any, error) {
		s, err := w.Addresses.Register(ctx, t, *in.URL)
		return id{ID: s.ID}, err
	})
}

// checkURL refuses an address that could never be told anything, naming the member that it came in.
func (w *Handler) checkURL(field, raw string) error {
	err := notice.CheckURL(raw, w.Allow)
	if refusal := ticket.AsError(err); refusal != nil {
		return ticket.RefuseField(refusal.Code, field, refusal.Message)
	}
	return err
}

var errNoAddress = ticket.Refuse(ticket.NotFound, "the issue has no such notification")

func (w *Handler) unregister(c *fiber.Ctx) error {
	nid, err := word(c, "nid")
	if err != nil {
		return errNoAddress
	}
	return w.record(c, func(ctx context.Context, t ticket.Ticket) (any, error) {
		return nil, w.Addresses.Unregister(ctx, t.ID, nid)
	})
}

// rotate tells the secret that an address is signed with, which nobody can ask for: a new one.
func (w *Handler) rotate(c *fiber.Ctx) error {
	nid, err := word(c, "nid")
	if err != nil {
		return errNoAddress
	}
	return w.keep(c, true, func(ctx context.Context, t ticket.Ticket) (any, error) {
		secret, err := w.Addresses.RotateAddress(ctx, t.ID, nid)
		return api.Rotated{ID: nid, Secret: secret}, err
	})
}
