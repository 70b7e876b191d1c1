package publish

import (
	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/api/bkapi"
	"signalbox/desk"
	"signalbox/ticket"
)

// anonymousApp is the code of callers without a credential, where an operator lets them in.
const anonymousApp = "anonymous"

// application tells who calls by the itsm family's credentials.
func (h *Handler) application(c *fiber.Ctx) (desk.App, bool, error) {
	given, err := said(c)
	if err != nil {
		return desk.App{}, true, ticket.RefuseField(ticket.Unauthorized, bkapi.Header, ticket.AsError(err).Message)
	}
	return given.LogIn(c, h.Apps)
}

// said reads the itsm family's credentials, and the person that they name.
func said(c *fiber.Ctx) (bkapi.Application, error) {
	p, _ := api.ReadParams(c) // what is wrong with them is told to those who may know
	given, err := bkapi.Of(c, p.Plain)
	api.Note(c, api.Subject{Operator: given.User})
	return given, err
}

// subject reads whom a request names; see api.Family.
func subject(c *fiber.Ctx) api.Subject {
	given, _ := said(c)
	return api.Subject{Operator: given.User}
}

// anonymous lets those in who show no credential at all. A wrong one stays wrong.
func (h *Handler) anonymous(c *fiber.Ctx) (desk.App, bool, error) {
	if c.Get(fiber.HeaderAuthorization) != "" || c.Get(api.HeaderToken) != "" {
		return desk.App{}, false, nil
	}
	return desk.App{Code: anonymousApp, Tenant: h.Open, Scopes: []desk.Scope{desk.Write}}, true, nil
}
