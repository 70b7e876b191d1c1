package itsm

import (
	"encoding/json"

	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/desk"
	"signalbox/ticket"
)

// headerCredentials carries credentials as a JSON object. Where it is there, those among the parameters are passed over.
const headerCredentials = "X-Bkapi-Authorization"

// credentials are who calls, and for whom.
type credentials struct {
	code, secret, user string
}

// authenticate finds the app by its code and secret: in the header, or else among the parameters. A request that has neither may still have
// one of the credentials that every family takes.
func (w *Wing) authenticate(c *fiber.Ctx) (app desk.App, known bool, err error) {
	given, err := credentialsOf(c)
	switch {
	case err != nil && given == nil && commonCredential(c):
		return app, false, nil // what is wrong with the body is told to those who may know
	case err != nil:
		return app, true, err
	case given.code == "" && given.secret == "":
		return app, false, nil
	}
	if err := api.Claim(c, given.code); err != nil {
		return app, true, err
	}
	app, err = w.Apps.ByCode(api.Context(c), given.code, given.secret)
	return app, true, err
}

func commonCredential(c *fiber.Ctx) bool {
	return c.Get(fiber.HeaderAuthorization) != "" || c.Get(api.HeaderToken) != ""
}

// credentialsOf reads them. Nil with an error: the parameters cannot be read.
func credentialsOf(c *fiber.Ctx) (*credentials, error) {
	var values map[string]any
	if raw := c.Request().Header.Peek(headerCredentials); raw != nil {
		if err := api.DecodeJSON(raw, &values); err != nil || values == nil {
			return &credentials{}, ticket.RefuseField(ticket.Invalid, headerCredentials, "must be a JSON object")
		}
	} else {
		p, err := paramsOf(c)
		if err != nil {
			return nil, err
		}
		values = map[string]any{}
		for _, name := range []string{"bk_app_code", "app_code", "bk_app_secret", "app_secret", "bk_username", "username"} {
			values[name] = p.plain(name)
		}
	}
	first := func(names ...string) string {
		for _, name := range names {
			if text, _ := values[name].(string); text != "" {
				return text
			}
		}
		return ""
	}
	return &credentials{first("bk_app_code", "app_code"), first("bk_app_secret", "app_secret"), first("bk_username", "username")}, nil
}

// userOf gives the person that the credentials name; empty when they name none.
func userOf(c *fiber.Ctx, p *params) (string, error) {
	given, err := credentialsOf(c)
	if err != nil {
		return "", err
	}
	var f ticket.Faults
	f.Name("bk_username", given.user, 0, ticket.MaxName)
	return given.user, f.Err()
}

// plain gives a parameter that is a text, whatever else may be wrong with it.
func (p *params) plain(name string) string {
	if list := p.query[name]; len(list) > 0 {
		return list[0]
	}
	var text string
	if json.Unmarshal(p.body[name], &text) != nil {
		return ""
	}
	return text
}
