package issue

import (
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/notice"
	"signalbox/ticket"
)

func (w *Handler) list(c *fiber.Ctx) error {
	q, err := api.ReadQuery(c)
	if err != nil {
		return err
	}
	f := ticket.Filter{
		Phases: q.Choices("phase", phases...),
		Origin: q.Text("origin", ticket.MaxName), Tag: q.Text("tag", ticket.MaxTag), Service: q.Text("service", ticket.MaxName),
		Assignee: q.Text("assignee", ticket.MaxName), WaitingFor: q.Text("waiting_for", ticket.MaxName),
		CreatedAfter: q.Moment("created_after"), CreatedBefore: q.Moment("created_before"),
		UpdatedAfter: q.Moment("updated_after"), UpdatedBefore: q.Moment("updated_before"),
		Words: q.Text("q", ticket.MaxName),
	}
	f.Limit, f.Cursor = q.Page()
	if status := q.Choice("status", statusOpen, statusClosed); status != "" {
		open := status == statusOpen
		f.Open = &open
	}
	if relation := q.Text("relation", ticket.MaxRelationType+1+ticket.MaxName); relation != "" {
		kind, item, found := strings.Cut(relation, ":")
		if !found || kind == "" || item == "" {
			q.Fault("relation", "must be written type:content")
		}
		f.RelationType, f.RelationItem = kind, item
	}
	if err := q.Err(); err != nil {
		return err
	}
	page, err := w.Tickets.Tickets(api.Context(c), api.Caller(c).Tenant, f)
	if err != nil {
		return err
	}
	return api.Respond(c, http.StatusOK, done(list[line]{Items: each(page.Items, lineOf), Next: page.Next}))
}

func (w *Handler) timeline(c *fiber.Ctx) error {
	q, err := api.ReadQuery(c)
	if err != nil {
		return err
	}
	var after notice.Place
	if text := q.Text("after", notice.MaxPlace); text != "" {
		var ok bool
		if after, ok = notice.ParsePlace(text); !ok {
			q.Fault("after", "must be the next_cursor of a page, or the seq of an entry")
		}
	}
	limit := q.Limit()
	if err := q.Err(); err != nil {
		return err
	}
	t, err := w.ticket(c)
	if err != nil {
		return err
	}
	// One more than asked for tells whether there is another page.
	entries, err := w.Tickets.Entries(api.Context(c), t.ID, after, limit+1)
	if err != nil {
		return err
	}
	var next string
	if len(entries) > limit {
		entries = entries[:limit]
		next = entries[limit-1].Place().String()
	}
	return api.Respond(c, http.StatusOK, done(list[any]{Items: each(entries, entryOf), Next: next}))
}
