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

// relationType gives the type that the path names.
func relationType(c *fiber.Ctx) (string, error) {
	kind, err := api.Param(c, "type")
	if err != nil {
		return "", err
	}
	var f ticket.Faults
	f.Word("type", kind, ticket.MaxRelationType)
	return kind, f.Err()
}

// relation shows one relation; unlike the others of an issue, a type that it never had does not exist.
func (h *Handler) relation(c *fiber.Ctx) error {
	kind, err := relationType(c)
	if err != nil {
		return err
	}
	r, err := h.record(c)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(r.Relations, func(r ticket.Relation) bool { return r.Type == kind })
	if i < 0 {
		return ticket.RefuseField(ticket.NotFound, "type", "the issue has no relation of this type")
	}
	return api.Respond(c, http.StatusOK, ticket.Relation{Type: kind, Content: api.List(r.Relations[i].Content)})
}

// relate replaces the whole content of one relation: that is how items are added and removed.
func (h *Handler) relate(c *fiber.Ctx) error {
	kind, err := relationType(c)
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
	return h.do(c, desk.Handling{Command: ticket.Command{Action: ticket.Relate, Relation: &ticket.Relation{Type: kind, Content: *in.Content}}}, nil)
}

// messages lists a conversation. A page is as large as pages can be unless asked for smaller: most conversations are one page.
func (h *Handler) messages(c *fiber.Ctx) error {
	q, err := api.ReadQuery(c)
	if err != nil {
		return err
	}
	limit, after := int(q.Whole("limit", ticket.MaxPage, 1, ticket.MaxPage)), int(q.Whole(q.Either("cursor", "after"), 0, 0, ticket.MaxMessages))
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
	return houseapi.Respond(c, houseapi.Items[message]{Items: api.Each(records, messageOf), Next: next})
}

func (h *Handler) message(c *fiber.Ctx) error {
	cid, err := houseapi.Word(c, "cid", errNoMessage)
	if err != nil {
		return err
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
	return houseapi.Respond(c, messageOf(m))
}

func (h *Handler) say(c *fiber.Ctx) error { return h.speak(c, ticket.Say, h.newID()) }

func (h *Handler) revise(c *fiber.Ctx) error {
	cid, err := houseapi.Word(c, "cid", errNoMessage)
	if err != nil {
		return err
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
	// Who writes is who acts: the timeline names the author. One that is no name is refused as the author; nobody has named an operator.
	var f ticket.Faults
	if f.Name("author", m.Author, 1, ticket.MaxName); f.Err() == nil {
		cmd.Operator = m.Author
	}
	return h.do(c, desk.Handling{Command: cmd}, houseapi.ID{ID: cid})
}

// follower is one who follows an issue.
type follower struct {
	Person string `json:"person"`
}

func (h *Handler) followers(c *fiber.Ctx) error {
	q, err := api.ReadQuery(c)
	if err != nil {
		return err
	}
	limit, cursor := q.Page()
	if err := q.Err(); err != nil {
		return err
	}
	t, err := h.ticket(c)
	if err != nil {
		return err
	}
	list, next, err := h.Tickets.FollowersPage(api.Context(c), t, cursor, limit)
	if err != nil {
		return err
	}
	return houseapi.Respond(c, houseapi.Items[follower]{Items: api.Each(list, func(person string) follower { return follower{person} }), Next: next})
}

// follow has the person whom the path names follow the issue, or follow it no more. It is they who do so: an app that acts for people says for whom.
func (h *Handler) follow(on bool) fiber.Handler {
	return func(c *fiber.Ctx) error {
		person, err := api.Param(c, "person")
		if err != nil {
			return err
		}
		var f ticket.Faults
		f.Name("person", person, 1, ticket.MaxName)
		if err := f.Err(); err != nil {
			return err
		}
		api.Note(c, api.Subject{Operator: person})
		t, err := h.ticket(c)
		if err != nil {
			return err
		}
		return houseapi.Transact(c, h.Desk, false, func(ctx context.Context) (any, error) { return nil, h.Tickets.Follow(ctx, t, person, on) })
	}
}

func (h *Handler) addresses(c *fiber.Ctx) error {
	q, err := api.ReadQuery(c)
	if err != nil {
		return err
	}
	limit, cursor := q.Page()
	if err := q.Err(); err != nil {
		return err
	}
	t, err := h.ticket(c)
	if err != nil {
		return err
	}
	registered, next, err := h.Addresses.Registered(api.Context(c), t.ID, cursor, limit)
	if err != nil {
		return err
	}
	return houseapi.Respond(c, houseapi.Items[address]{Items: api.Each(registered, addressOf), Next: next})
}

func (h *Handler) register(c *fiber.Ctx, in registering) error {
	var f ticket.Faults
	houseapi.Note(&f, notice.CheckURL(api.Value(in.URL), h.Allow))
	in.Reaching.Check(&f, h.now())
	if err := f.Err(); err != nil {
		return err
	}
	want := in.Apply(notice.Subscription{URL: *in.URL})
	if err := in.CheckOrigin(notice.Subscription{}, want); err != nil {
		return err
	}
	t, err := h.ticket(c)
	if err != nil {
		return err
	}
	return houseapi.Transact(c, h.Desk, false, func(ctx context.Context) (any, error) {
		s, err := h.Addresses.Register(ctx, t, want)
		return houseapi.ID{ID: s.ID}, err
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

// subscriptions is the calls about one notification.
func (h *Handler) subscriptions() houseapi.SubscriptionCalls {
	return houseapi.SubscriptionCalls{
		Desk: h.Desk, Subscriptions: h.Addresses, Begin: h.Begin, Hasten: h.Hasten,
		Named: func(c *fiber.Ctx) (notice.Owner, string, error) {
			nid, err := houseapi.Word(c, "nid", errNoAddress)
			if err != nil {
				return notice.Owner{}, "", err
			}
			t, err := h.ticket(c)
			return notice.Owner{Tenant: t.Tenant, TicketID: t.ID}, nid, err
		},
	}
}
