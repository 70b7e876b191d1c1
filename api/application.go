package api

import (
	"encoding/json"

	"github.com/gofiber/fiber/v2"

	"signalbox/desk"
	"signalbox/ticket"
)

// HeaderApplication carries the credentials of an Application as a JSON object. Where it is there, those among the parameters are passed over.
const HeaderApplication = "X-Bkapi-Authorization"

// Application is the credential of the itsm family, which the publish family takes as well: an app's code and secret, and the person for whom
// it calls. All of it is as the caller says, and may be empty.
type Application struct {
	Code, Secret, User string
}

// ApplicationOf finds what a caller says in the header or else among the request's parameters. parameter gives one of these by its name, and
// nothing where it is missing or no text. A header that is no JSON object is Invalid.
func ApplicationOf(c *fiber.Ctx, parameter func(name string) string) (Application, error) {
	if raw := c.Request().Header.Peek(HeaderApplication); raw != nil {
		var values map[string]json.RawMessage
		if err := DecodeJSON(raw, &values); err != nil || values == nil {
			return Application{}, ticket.RefuseField(ticket.Invalid, HeaderApplication, "must be a JSON object")
		}
		parameter = func(name string) string { return Text(values[name]) }
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

// LogIn finds the app, as an Authenticator does. known is false where neither code nor secret were said.
func (a Application) LogIn(c *fiber.Ctx, apps Apps) (app desk.App, known bool, err error) {
	if a.Code == "" && a.Secret == "" {
		return app, false, nil
	}
	if err := LogIn(c, a.Code, a.Secret); err != nil {
		return app, true, err
	}
	app, err = apps.ByCode(Context(c), a.Code, a.Secret)
	return app, true, err
}

// Text gives a JSON string; empty for everything else.
func Text(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return ""
	}
	return text
}
