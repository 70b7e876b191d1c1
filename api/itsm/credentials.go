package itsm

import (
	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/desk"
	"signalbox/ticket"
)

// authenticate finds the app by its code and secret: in the header, or else among the parameters. A request that has neither may still have
// one of the credentials that every family takes.
func (w *Handler) authenticate(c *fiber.Ctx) (app desk.App, known bool, err error) {
	given, unreadable, err := applicationOf(c)
	switch {
	case unreadable != nil && commonCredential(c):
		return app, false, nil // what is wrong with the body is told to those who may know
	case unreadable != nil:
		return app, true, unreadable
	case err != nil:
		return app, true, err
	}
	return given.LogIn(c, w.Apps)
}

func commonCredential(c *fiber.Ctx) bool {
	return c.Get(fiber.HeaderAuthorization) != "" || c.Get(api.HeaderToken) != ""
}

// applicationOf reads the credentials. unreadable: they may be among the parameters, which cannot be read.
func applicationOf(c *fiber.Ctx) (given api.Application, unreadable, err error) {
	p := &params{}
	if c.Request().Header.Peek(api.HeaderApplication) == nil {
		if p, unreadable = paramsOf(c); unreadable != nil {
			return given, unreadable, nil
		}
	}
	given, err = api.ApplicationOf(c, p.plain)
	return given, nil, err
}

// userOf gives the person that the credentials name; empty when they name none.
func userOf(c *fiber.Ctx, p *params) (string, error) {
	given, err := api.ApplicationOf(c, p.plain)
	if err != nil {
		return "", err
	}
	var f ticket.Faults
	f.Name("bk_username", given.User, 0, ticket.MaxName)
	return given.User, f.Err()
}

// plain gives a parameter that is a text, whatever else may be wrong with it.
func (p *params) plain(name string) string {
	if list := p.query[name]; len(list) > 0 {
		return list[0]
	}
	return api.Text(p.body[name])
}
