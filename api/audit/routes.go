// Package audit is the way to see who asked for what, from where, and what became of it. It speaks in the house's own style.
package audit

import (
	"context"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"signalbox/api"
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

// Family gives the wing as the server mounts it.
func (w *Handler) Family() api.Family {
	const all = "/api/audit"
	return api.Family{
		Channel:  ticket.ChannelIssue,
		Prefixes: []string{all},
		Refuse:   api.RefuseInEnvelope,
		Routes:   []api.Route{{Method: http.MethodGet, Path: all, Scope: desk.Admin, Reads: true, Handler: w.list}},
	}
}

func (w *Handler) list(c *fiber.Ctx) error {
	q, err := api.ReadQuery(c)
	if err != nil {
		return err
	}
	var f desk.EntryFilter
	f.Limit, f.Cursor = q.Page()
	f.App, f.Operator, f.Number = q.Text("app", ticket.MaxName), q.Text("operator", ticket.MaxName), q.Text("number", ticket.MaxName)
	f.Outcome = desk.OperationState(q.Choice("outcome", string(desk.Done), string(desk.Refused), string(desk.Running), string(desk.Void)))
	f.From, f.To = q.Moment("from"), q.Moment("to")
	if err := q.Err(); err != nil {
		return err
	}
	entries, next, err := w.Reader.Audit(api.Context(c), api.Caller(c).Tenant, f)
	if err != nil {
		return err
	}
	views := make([]view, len(entries))
	for i, e := range entries {
		views[i] = viewOf(e)
	}
	return api.Respond(c, http.StatusOK, api.Done(api.Items[view]{Items: views, Next: next}))
}
