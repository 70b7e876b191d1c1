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

// headerApplication carries the credentials of the itsm family's callers as a JSON object. Where it is there, those in body and query are passed
// over.
const headerApplication = "X-Bkapi-Authorization"

// application tells who calls by the itsm family's credentials: bk_app_code and bk_app_secret, or app_code and app_secret.
func (w *Wing) application(c *fiber.Ctx) (app desk.App, known bool, err error) {
	values := map[string]json.RawMessage{}
	if raw := c.Request().Header.Peek(headerApplication); raw != nil {
		if err := api.DecodeJSON(raw, &values); err != nil {
			return app, true, ticket.RefuseField(ticket.Unauthorized, headerApplication, "must be a JSON object")
		}
	} else {
		// What is wrong with the body is told to those who may know.
		if api.Decode(c, &values) != nil {
			values = map[string]json.RawMessage{}
		}
		query, err := api.Query(c)
		if err != nil {
			return app, false, nil
		}
		for _, name := range []string{"bk_app_code", "app_code", "bk_app_secret", "app_secret"} {
			if query.Has(name) {
				values[name], _ = json.Marshal(query.Get(name))
			}
		}
	}
	code, secret := first(values, "bk_app_code", "app_code"), first(values, "bk_app_secret", "app_secret")
	if code == "" && secret == "" {
		return app, false, nil
	}
	if err := api.Claim(c, code); err != nil {
		return app, true, err
	}
	app, err = w.Apps.ByCode(api.Context(c), code, secret)
	return app, true, err
}

func first(values map[string]json.RawMessage, names ...string) string {
	for _, name := range names {
		var text string
		if json.Unmarshal(values[name], &text) == nil && text != "" {
			return text
		}
	}
	return ""
}

// anonymous lets those in who show no credential at all. A wrong one stays wrong.
func (w *Wing) anonymous(c *fiber.Ctx) (desk.App, bool, error) {
	if c.Get(fiber.HeaderAuthorization) != "" || c.Get(api.HeaderToken) != "" {
		return desk.App{}, false, nil
	}
	return desk.App{Code: anonymousApp, Tenant: w.Open, Scopes: []desk.Scope{desk.Write}}, true, nil
}
