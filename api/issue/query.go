package issue

import (
	"strings"

	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/api/houseapi"
	"signalbox/notice"
	"signalbox/ticket"
)

func (h *Handler) list(c *fiber.Ctx) error {
	q, err := api.ReadQuery(c)
	if err != nil {
		return err
	}
	f := ticket.Filter{
		Phases: q.Choices("phase", phases...),
		Origin: q.Name("origin", 0, ticket.MaxName), Tag: q.Name("tag", 0, ticket.MaxTag), Service: q.Name("service", 0, ticket.MaxName),
		Assignee: q.Name("assignee", 0, ticket.MaxName), WaitingFor: q.Name("waiting_for", 0, ticket.MaxName),
		CreatedAfter: q.Time("created_after"), CreatedBefore: q.Time("created_before"),
		UpdatedAfter: q.Time("updated_after"), UpdatedBefore: q.Time("updated_before"),
		SLA: q.Choices("sla", ticket.SLAStates...), DueAfter: q.Time("due_after"), DueBefore: q.Time("due_before"),
		EndedAfter: q.Time("ended_after"), EndedBefore: q.Time("ended_before"),
		Opener: q.Name("opener", 0, ticket.MaxName), Follower: q.Name("follower", 0, ticket.MaxName), RelationItem: q.Name("related", 0, ticket.MaxName),
		Unassigned: q.Flag("unassigned"),
		Terms:      q.Name("q", 0, ticket.MaxName), Sort: ticket.Sort(q.Choice("sort", ticket.Sorts...)),
	}
	if q.Flag("overdue") {
		f.Overdue = h.now()
	}
	counted := q.Flag("total")
	for _, cause := range q.Choices("stuck", append([]string{anyCause}, api.Each(ticket.Causes, func(c ticket.Cause) string { return string(c) })...)...) {
		if cause == anyCause {
			f.Stuck = ticket.Causes
			break
		}
		f.Stuck = append(f.Stuck, ticket.Cause(cause))
	}
	f.Limit, f.Cursor = q.Page()
	if status := q.Choice("status", ticket.WordOpen, ticket.WordClosed); status != "" {
		open := status == ticket.WordOpen
		f.Open = &open
	}
	if relation := q.Name("relation", 0, ticket.MaxRelationType+1+ticket.MaxName); relation != "" {
		kind, item, found := strings.Cut(relation, ":")
		if !found || kind == "" || item == "" {
			q.Faults.Add("relation", "must be written type:content")
		}
		if f.RelationItem != "" {
			q.Faults.Add("related", "says the same as relation, which has the type as well: only one of them can be given")
		}
		f.RelationType, f.RelationItem = kind, item
	}
	if err := q.Err(); err != nil {
		return err
	}
	page, err := h.Tickets.Tickets(api.Context(c), api.Caller(c).Tenant, f)
	if err != nil {
		return err
	}
	lines := api.Each(page.Items, lineOf)
	if len(f.Stuck) > 0 || f.Sort == ticket.SortStuck {
		stuck, err := h.Tickets.Stuck(api.Context(c), page.Items)
		if err != nil {
			return err
		}
		for i, t := range page.Items {
			lines[i].Stuck = api.Each(stuck[t.ID], standstillOf)
		}
	}
	out := listed{Items: houseapi.Items[line]{Items: lines, Next: page.Next}}
	if counted {
		n, err := h.Tickets.Count(api.Context(c), api.Caller(c).Tenant, f, ticket.MaxTotal)
		if err != nil {
			return err
		}
		out.Total = &total{n.N, n.More}
	}
	return houseapi.Respond(c, out)
}

// anyCause asks for issues that are stuck, whatever for.
const anyCause = "any"

// listed is a page of issues, with how many there are on all pages where that was asked for.
type listed struct {
	houseapi.Items[line]
	Total *total `json:"total,omitempty"`
}

type total struct {
	Count int  `json:"count"`
	More  bool `json:"more"` // there are more than that
}

func (h *Handler) timeline(c *fiber.Ctx) error {
	q, err := api.ReadQuery(c)
	if err != nil {
		return err
	}
	var after notice.Position
	from := q.Either("cursor", "after")
	if text := q.Name(from, 0, notice.MaxPosition); text != "" {
		var ok bool
		if after, ok = notice.ParsePosition(text); !ok {
			q.Faults.Add(from, "must be the next_cursor of a page, or the seq of an entry")
		}
	}
	limit := q.Limit()
	if err := q.Err(); err != nil {
		return err
	}
	t, err := h.ticket(c)
	if err != nil {
		return err
	}
	// One more than asked for tells whether there is another page.
	entries, err := h.Tickets.Entries(api.Context(c), t.ID, after, limit+1)
	if err != nil {
		return err
	}
	var next string
	if len(entries) > limit {
		entries = entries[:limit]
		next = entries[limit-1].Position().String()
	}
	return houseapi.Respond(c, houseapi.Items[any]{Items: api.Each(entries, entryOf), Next: next})
}
