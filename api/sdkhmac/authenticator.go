package sdkhmac

import (
	"errors"
	"time"

	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/desk"
	"signalbox/ticket"
)

// Headers are those that a browser's page sends with a signature, beside Authorization.
var Headers = []string{"X-Sdk-Date", "X-Sdk-Content-Sha256"}

// Authenticator tells who calls by the signature. Requests without one are for others to know; one that is malformed or does not fit is
// Unauthorized, and the message says what is wrong with it.
func Authenticator(apps api.Apps, now func() time.Time) api.Authenticator {
	return func(c *fiber.Ctx) (desk.App, bool, error) {
		header := c.Get(fiber.HeaderAuthorization)
		if !Is(header) {
			return desk.App{}, false, nil
		}
		a, err := Parse(header)
		if err != nil {
			return desk.App{}, true, refuse(err)
		}
		if err := api.LogIn(c, a.Access, ""); err != nil {
			return desk.App{}, true, err
		}
		app, secrets, unknown := apps.Secrets(c.UserContext(), a.Access)
		switch {
		case ticket.Is(unknown, ticket.Unauthorized):
			secrets = nil // and so refused below, in the same words as a wrong secret: which codes there are is nobody's business
		case unknown != nil:
			return desk.App{}, true, unknown
		}
		at := now()
		secret, signed, why := a.Verify(requestOf(c), secrets, at)
		if why != nil {
			secret = string(a.Signature) // with which nobody has logged in
		}
		if err := api.LogIn(c, a.Access, secret); err != nil {
			return desk.App{}, true, err
		}
		if why != nil {
			return desk.App{}, true, errors.Join(refuse(why), unknown)
		}
		// Its date may lie ahead of our clock, and the clocks of other processes behind it.
		api.Signed(c, app, api.Signature{Bytes: a.Signature, Lately: at.Sub(signed).Abs() <= Repeats, Expires: at.Add(3 * Skew)})
		return app, true, nil
	}
}

func refuse(why error) error {
	return ticket.RefuseField(ticket.Unauthorized, fiber.HeaderAuthorization, why.Error())
}

func requestOf(c *fiber.Ctx) Request {
	uri := c.Request().URI()
	return Request{
		Method: c.Method(), Path: string(uri.PathOriginal()), Query: string(uri.QueryString()), Body: c.BodyRaw(),
		Header: func(name string) []string {
			var values []string
			for _, value := range c.Request().Header.PeekAll(name) {
				values = append(values, string(value))
			}
			return values
		},
	}
}
