// Package bkapi reads the credentials of BlueKing's API gateway, which the itsm and the publish family take.
package bkapi

import (
	"encoding/json"

	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/desk"
	"signalbox/ticket"
)

// Header carries the credentials of an Application as a JSON object. Where it is there, those among the parameters are passed over.
const Header = "X-Bkapi-Authorization"

// Parameters are those by which an Application, or the browser of a person who is logged in, logs in. Whom they name as acting is no credential.
var Parameters = []string{"bk_app_code", "app_code", "bk_app_secret", "app_secret", "bk_token", "bk_ticket", "access_token"}

// Application is the credential of the itsm family, which the publish family takes as well: an app's code and secret, and the person for whom
// it calls. All of it is as the caller says, and may be empty.
type Application struct {
	Code, Secret, User string
}

// Of finds what a caller says in the header or else among the request's parameters. parameter gives one of these by its name, and
// nothing where it is missing or no text. A header that is no JSON object is Invalid.
func Of(c *fiber.Ctx, parameter func(name string) string) (Application, error) {
	if raw := c.Request().Header.Peek(Header); raw != nil {
		var values map[string]json.RawMessage
		if err := api.DecodeJSON(raw, &values); err != nil || values == nil {
			return Application{}, ticket.RefuseField(ticket.Invalid, Header, "must be a JSON object")
		}
		parameter = func(name string) string { return api.TextOf(values[name]) }
	}
	first := func(names ...string) string {
		for _, name := range names {
			if text := parameter(name); text != "" {
				return text
			}
		}
		return ""
	}
	return Application{first("bk_app_code", "app_code"), first("bk_app_secret", "app_secret"), first("bk_username", "username")}, nil
}

// LogIn finds the app, as an api.Authenticator does. known is false where neither code nor secret were said.
func (a Application) LogIn(c *fiber.Ctx, apps api.Apps) (app desk.App, known bool, err error) {
	if a.Code == "" && a.Secret == "" {
		return app, false, nil
	}
	if err := api.LogIn(c, a.Code, a.Secret); err != nil {
		return app, true, err
	}
	app, err = apps.ByCode(api.Context(c), a.Code, a.Secret)
	return app, true, err
}
