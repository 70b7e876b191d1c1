// Package codec is the codec server of the Temporal web UI and CLI: it decrypts what Temporal holds encrypted for those who may see it
// (https://docs.temporal.io/codec-server).
//
// Temporal knows no tenants, so whoever may decrypt reads every tenant's tickets. The scope admin of one tenant is not enough for that: the apps
// that may are named in a setting.
package codec

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"

	"signalbox/api"
	"signalbox/api/houseapi"
	"signalbox/desk"
	"signalbox/ticket"
)

// Access says who may decrypt, and from where.
type Access struct {
	CodecApps    []string    `split_words:"true" desc:"codes of apps with the scope admin that may decrypt what Temporal holds, of every tenant; none unless set"`
	CodecOrigins api.Origins `split_words:"true" desc:"where the Temporal web UI is, such as https://temporal.example.com; its pages may then decrypt for who is signed in to the pages"`
}

// headerNamespace is how Temporal's web UI and CLI name the namespace that they ask about.
const headerNamespace = "X-Namespace"

// Handler is the codec server. All members are needed.
type Handler struct {
	Access
	// Handler encodes and decodes: POST …/encode and …/decode with payloads as JSON.
	Handler http.Handler
	// Session tells who is signed in to the pages: the app's code, and a name.
	Session func(c *fiber.Ctx) (app, operator string, ok bool)
	// App finds an enabled app by its code; Unauthorized when there is none.
	App func(ctx context.Context, code string) (desk.App, error)
	Log *slog.Logger
}

// Family gives the family as the server mounts it.
func (h *Handler) Family() api.Family {
	serve := adaptor.HTTPHandler(h.Handler)
	route := func(path string) api.Route {
		return api.Route{Method: http.MethodPost, Path: path, Scope: desk.Admin, Handler: func(c *fiber.Ctx) error { return h.serve(c, serve) }}
	}
	return api.Family{
		Channel:      ticket.ChannelCodec,
		Prefixes:     []string{"/codec"},
		Pages:        h.CodecOrigins,
		Headers:      []string{headerNamespace},
		Authenticate: []api.Authenticator{h.signedIn},
		Refuse:       houseapi.Refuse,
		Routes:       []api.Route{route("/codec/decode"), route("/codec/encode")},
	}
}

// signedIn knows callers by the cookie of the pages. It counts only with a page of the web UI or of ours, so that no other page can
// make use of somebody who is signed in.
func (h *Handler) signedIn(c *fiber.Ctx) (desk.App, bool, error) {
	if c.Get(fiber.HeaderAuthorization) != "" || c.Get(api.HeaderToken) != "" {
		return desk.App{}, false, nil
	}
	code, _, ok := h.Session(c)
	if !ok {
		return desk.App{}, false, nil
	}
	if origin := strings.ToLower(c.Get(fiber.HeaderOrigin)); !slices.Contains(h.CodecOrigins, origin) && origin != strings.ToLower(c.BaseURL()) {
		return desk.App{}, true, ticket.Refuse(ticket.Forbidden, "pages of this origin may not decrypt for who is signed in")
	}
	app, err := h.App(api.Context(c), code)
	return app, true, err
}

// serve encodes or decodes for those who may, and writes down for whom.
func (h *Handler) serve(c *fiber.Ctx, serve fiber.Handler) error {
	app := api.Caller(c)
	if !slices.Contains(h.CodecApps, app.Code) {
		return ticket.Refuse(ticket.Forbidden, fmt.Sprintf("the app %s is not among those that may read what Temporal holds of every tenant", app.Code))
	}
	if err := serve(c); err != nil {
		return fmt.Errorf("run the codec: %w", err)
	}
	attrs := []any{"request_id", api.RequestID(c), "path", c.Path(), "tenant", app.Tenant, "app", app.Code, "remote", api.Address(c),
		"namespace", c.Get(headerNamespace), "status", c.Response().StatusCode(), "bytes", len(c.Response().Body())}
	if code, operator, ok := h.Session(c); ok && code == app.Code {
		attrs = append(attrs, "operator", operator)
	}
	h.Log.InfoContext(api.Context(c), "codec.used", attrs...)
	return nil
}
