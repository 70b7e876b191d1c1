package issue

import (
	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/api/houseapi"
	"signalbox/ticket"
)

// change is an entry of the change feed: what happened, and the issue as it is when the feed is read.
type change struct {
	Event event `json:"event"`
	Issue line  `json:"issue"`
}

func changeOf(e ticket.FeedEntry) change { return change{eventOf(e.Event), lineOf(e.Ticket)} }

// feed is a page of the change feed. Unlike lists it always says where to go on.
type feed struct {
	Items []change `json:"items"`
	Next  string   `json:"next_cursor"`
	More  bool     `json:"more"` // there is more already
}

// changes shows what happened to the caller's issues since a cursor.
func (h *Handler) changes(c *fiber.Ctx) error {
	q, err := api.ReadQuery(c)
	if err != nil {
		return err
	}
	limit, cursor := q.Page()
	if err := q.Err(); err != nil {
		return err
	}
	page, err := h.Tickets.Changes(api.Context(c), api.Caller(c).Tenant, cursor, limit)
	if err != nil {
		return err
	}
	return houseapi.Respond(c, feed{Items: api.Each(page.Items, changeOf), Next: page.Next, More: page.More})
}
