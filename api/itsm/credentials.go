package itsm

import (
	"cmp"
	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/api/bkapi"
	"signalbox/desk"
	"signalbox/ticket"
)

// authenticate finds the app by its code and secret: in the header, or else among the parameters. A request that has neither may still have
// one of the credentials that every family takes.
func (h *Handler) authenticate(c *fiber.Ctx) (app desk.App, known bool, err error) {
	given, unreadable, err := applicationOf(c)
	api.ActsFor(c, given.User)
	switch {
	case unreadable != nil && commonCredential(c):
		return app, false, nil // what is wrong with the body is told to those who may know
	case unreadable != nil:
		return app, true, unreadable
	case err != nil:
		return app, true, err
	}
	return given.LogIn(c, h.Apps)
}

func commonCredential(c *fiber.Ctx) bool {
	return c.Get(fiber.HeaderAuthorization) != "" || c.Get(api.HeaderToken) != ""
}

// applicationOf reads the credentials. unreadable: they may be among the parameters, which cannot be read.
func applicationOf(c *fiber.Ctx) (given bkapi.Application, unreadable, err error) {
	p := &api.Params{}
	if c.Request().Header.Peek(bkapi.Header) == nil {
		if p, unreadable = api.ReadParams(c); unreadable != nil {
			return given, unreadable, nil
		}
	}
	given, err = bkapi.Of(c, p.Plain)
	return given, nil, err
}

// userOf gives the person that the credentials name; empty when they name none.
func userOf(c *fiber.Ctx, p *api.Params) (string, error) {
	given, err := bkapi.Of(c, p.Plain)
	if err != nil {
		return "", err
	}
	var f ticket.Faults
	f.Name("bk_username", given.User, 0, ticket.MaxName)
	return given.User, f.Err()
}

// subjectOf gives whom and what parameters name. Credentials say who acts where the operation does not.
func subjectOf(c *fiber.Ctx, p *api.Params) api.Subject {
	given, _ := bkapi.Of(c, p.Plain) // credentials that cannot be read name nobody
	return api.Subject{Operator: cmp.Or(p.Plain("operator"), p.Plain("approver"), given.User, p.Plain("creator")), Number: p.Plain("sn")}
}

// subject reads whom and what a request names that was refused before its parameters were taken; see api.Family.
func subject(c *fiber.Ctx) api.Subject {
	p, _ := api.ReadParams(c) // what cannot be read names nobody
	return subjectOf(c, p)
}
