// Package audit is the way to see who asked for what, from where, and what became of it. It speaks in the house's own style.
package audit

import (
	"context"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/api/houseapi"
	"signalbox/desk"
	"signalbox/ticket"
)

// Reader is the audit.
type Reader interface {
	// Audit lists what was asked for in a tenant, done or refused, newest first.
	Audit(ctx context.Context, tenant string, f desk.EntryFilter) (entries []desk.Entry, next string, err error)
}

// Handler is the audit.
type Handler struct{ Reader Reader }

// Family gives the family as the server mounts it.
func (h *Handler) Family() api.Family {
	const all = "/api/audit"
	return api.Family{
		Channel:  ticket.ChannelIssue,
		Prefixes: []string{all},
		Refuse:   houseapi.Refuse,
		Exact:    true,
		Routes:   []api.Route{{Method: http.MethodGet, Path: all, Scope: desk.Admin, Reads: true, Query: true, Handler: h.list}},
	}
}

func (h *Handler) list(c *fiber.Ctx) error {
	q, err := api.ReadQuery(c)
	if err != nil {
		return err
	}
	f := houseapi.ReadEntries(q, q.Time)
	if err := q.Err(); err != nil {
		return err
	}
	entries, next, err := h.Reader.Audit(api.Context(c), api.Caller(c).Tenant, f)
	if err != nil {
		return err
	}
	return houseapi.Respond(c, houseapi.Items[view]{Items: api.Each(entries, viewOf), Next: next})
}
