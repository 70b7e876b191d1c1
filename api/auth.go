package api

import (
	"fmt"
	"strings"

	"github.com/gofiber/fiber/v2"

	"signalbox/desk"
	"signalbox/ticket"
)

// HeaderToken carries a secret alone, as old clients of the incident family send it.
const HeaderToken = "X-Auth-Token"

// secretOf finds the credential that every family takes: "Authorization: Access_Key <secret>" (issue family), "Authorization: Bearer
// <secret>" (exception family) or "X-Auth-Token: <secret>". Schemes are compared without regard to case (RFC 9110, section 11.1).
func secretOf(c *fiber.Ctx) string {
	scheme, secret, _ := strings.Cut(strings.TrimSpace(c.Get(fiber.HeaderAuthorization)), " ")
	if strings.EqualFold(scheme, "Access_Key") || strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(secret)
	}
	return strings.TrimSpace(c.Get(HeaderToken))
}

// authenticate tells who calls.
func (s *Server) authenticate(c *fiber.Ctx, family *Family) (desk.App, error) {
	for _, ask := range family.Authenticate {
		app, known, err := ask(c)
		if err != nil || known {
			return app, s.countLogIn(c, err)
		}
	}
	secret := secretOf(c)
	if secret == "" {
		return desk.App{}, ticket.Refuse(ticket.Unauthorized, "a credential is required")
	}
	if err := tryLogIn(c, "", fmt.Sprintf("secret %q", secret)); err != nil {
		return desk.App{}, err
	}
	app, err := s.apps.BySecret(c.UserContext(), secret)
	return app, s.countLogIn(c, err)
}

// authorize lets a caller through to a call that needs the scope.
func (s *Server) authorize(c *fiber.Ctx, family *Family, scope desk.Scope) (desk.App, error) {
	app, err := s.authenticate(c, family)
	switch {
	case err != nil && ticket.AsError(err) == nil:
		return app, unavailable{err}
	case err != nil:
		return app, err
	case app.Disabled || app.Tenant == "":
		return app, ticket.Refuse(ticket.Unauthorized, "the credential is not valid")
	}
	if err := s.limit(c, app); err != nil {
		return app, err
	}
	switch {
	case !app.May(scope):
		return app, ticket.Refuse(ticket.Forbidden, "the app lacks the scope "+string(scope))
	}
	return app, nil
}

// unavailable makes a refusal of a fault behind us that may pass; the fault itself is for the log.
type unavailable struct{ cause error }

func (u unavailable) Error() string { return u.cause.Error() }

func (u unavailable) Unwrap() []error {
	return []error{ticket.Refuse(ticket.Unavailable, "it cannot be told now who is calling; the request may be repeated"), u.cause}
}
