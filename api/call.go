package api

import (
	"context"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"signalbox/desk"
	"signalbox/ticket"
)

// Body makes a handler of a call that takes a body: it is decoded, as Decode does, before anything else is looked at.
func Body[In any](call func(c *fiber.Ctx, in In) error) fiber.Handler {
	return func(c *fiber.Ctx) error {
		var in In
		if err := Decode(c, &in); err != nil {
			return err
		}
		return call(c, in)
	}
}

// Open opens a ticket at the desk and answers with HTTP 200. body makes the answer from the identity alone: its bytes must be the same whoever
// gives it. o's own Answer is not used.
func Open(c *fiber.Ctx, d Desk, o desk.Opening, body func(ticket.Identity) any) error {
	o.Answer = func(id ticket.Identity) desk.Answer {
		raw, _ := Marshal(body(id)) // an envelope around texts and numbers always marshals
		return desk.Answer{Status: http.StatusOK, Body: raw}
	}
	o.Draft.Types = requestOf(c).types
	reply, err := d.Open(Context(c), Request(c), o)
	return send(c, reply, err)
}

// Handle has one thing done to a ticket at the desk and answers with HTTP 200 and the body, which is known before. h's own Answer is not used.
func Handle(c *fiber.Ctx, d Desk, h desk.Handling, body any) error {
	var err error
	if h.Answer, err = answerOf(http.StatusOK, body); err != nil {
		return err
	}
	h.Types = requestOf(c).types
	reply, err := d.Handle(Context(c), Request(c), h)
	return send(c, reply, err)
}

// Transact has the database changed by the desk and answers with HTTP 200 and the body that effect gives; secret tells that it tells a secret.
func Transact(c *fiber.Ctx, d Desk, secret bool, effect func(ctx context.Context) (body any, err error)) error {
	reply, err := d.Transact(Context(c), Request(c), func(ctx context.Context) (desk.Answer, error) {
		body, err := effect(ctx)
		if err != nil {
			return desk.Answer{}, err
		}
		answer, err := answerOf(http.StatusOK, body)
		answer.Secret = secret
		return answer, err
	})
	return send(c, reply, err)
}

func send(c *fiber.Ctx, reply desk.Reply, err error) error {
	if err != nil {
		return err
	}
	return Send(c, reply)
}
