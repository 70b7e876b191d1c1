package publish

import (
	"encoding/json"

	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/desk"
	"signalbox/ticket"
)

// anonymousApp is the code of callers without a credential, where an operator lets them in.
const anonymousApp = "anonymous"

// application tells who calls by the itsm family's credentials.
func (w *Handler) application(c *fiber.Ctx) (desk.App, bool, error) {
	// What is wrong with either is told to those who may know.
	query, _ := api.Query(c)
	var body map[string]json.RawMessage
	if api.Decode(c, &body) != nil {
		body = nil
	}
	given, err := api.ApplicationOf(c, func(name string) string {
		if query.Has(name) {
			return query.Get(name)
		}
		return api.Text(body[name])
	})
	if err != nil {
		return desk.App{}, true, ticket.RefuseField(ticket.Unauthorized, api.HeaderApplication, ticket.AsError(err).Message)
	}
	return given.LogIn(c, w.Apps)
}

// anonymous lets those in who show no credential at all. A wrong one stays wrong.
func (w *Handler) anonymous(c *fiber.Ctx) (desk.App, bool, error) {
	if c.Get(fiber.HeaderAuthorization) != "" || c.Get(api.HeaderToken) != "" {
		return desk.App{}, false, nil
	}
	return desk.App{Code: anonymousApp, Tenant: w.Open, Scopes: []desk.Scope{desk.Write}}, true, nil
}
