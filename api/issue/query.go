package issue

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/ticket"
)

// maxCursor is the longest cursor that is looked at, in characters.
const maxCursor = 512

// query reads the parameters of a query string and collects all that is wrong with them.
type query struct {
	values url.Values
	faults ticket.Faults
}

func parseQuery(c *fiber.Ctx) (*query, error) {
	values, err := api.Query(c)
	return &query{values: values}, err
}

// text gives a parameter; empty when it is not there. Giving one twice is a fault: which of them was meant?
func (q *query) text(name string, max int) string {
	if len(q.values[name]) > 1 {
		q.faults.Add(name, "is there twice")
	}
	value := q.values.Get(name)
	q.faults.Name(name, value, 0, max)
	return value
}

// choice gives a parameter that must be one of some words.
func (q *query) choice(name string, words ...string) string {
	value := q.text(name, ticket.MaxName)
	if value != "" && !slices.Contains(words, value) {
		q.faults.Add(name, "must be one of "+strings.Join(words, ", "))
	}
	return value
}

// choices is like choice for a parameter that may be repeated.
func (q *query) choices(name string, words ...string) []string {
	var chosen []string
	for _, value := range q.values[name] {
		switch {
		case value == "":
		case slices.Contains(words, value):
			chosen = append(chosen, value)
		default:
			q.faults.Add(name, "must be one of "+strings.Join(words, ", "))
			return nil
		}
	}
	return chosen
}

// number gives a parameter that must be a whole number in a range.
func (q *query) number(name string, otherwise, min, max int64) int64 {
	raw := q.text(name, ticket.MaxName)
	if raw == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(raw, 10, 64)
	if err != nil || n < min || n > max {
		q.faults.Add(name, fmt.Sprintf("must be a whole number from %d to %d", min, max))
	}
	return n
}

func (q *query) limit() int {
	return int(q.number("limit", ticket.DefaultPage, 1, ticket.MaxPage))
}

// moment gives a parameter that must be a time as RFC 3339 writes it.
func (q *query) moment(name string) time.Time {
	raw := q.text(name, ticket.MaxName)
	if raw == "" {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, raw)
	if err != nil {
		q.faults.Add(name, "must be a time like 2006-01-02T15:04:05Z (RFC 3339; '+' is written %2B)")
	}
	return at.UTC()
}

func (w *Wing) list(c *fiber.Ctx) error {
	q, err := parseQuery(c)
	if err != nil {
		return err
	}
	f := ticket.Filter{
		Phases: q.choices("phase", phases...),
		Origin: q.text("origin", ticket.MaxName), Tag: q.text("tag", ticket.MaxTag), Service: q.text("service", ticket.MaxName),
		Assignee: q.text("assignee", ticket.MaxName), WaitingFor: q.text("waiting_for", ticket.MaxName),
		CreatedAfter: q.moment("created_after"), CreatedBefore: q.moment("created_before"),
		UpdatedAfter: q.moment("updated_after"), UpdatedBefore: q.moment("updated_before"),
		Words: q.text("q", ticket.MaxName), Limit: q.limit(), Cursor: q.text("cursor", maxCursor),
	}
	if status := q.choice("status", statusOpen, statusClosed); status != "" {
		open := status == statusOpen
		f.Open = &open
	}
	if relation := q.text("relation", ticket.MaxRelationType+1+ticket.MaxName); relation != "" {
		kind, item, found := strings.Cut(relation, ":")
		if !found || kind == "" || item == "" {
			q.faults.Add("relation", "must be written type:content")
		}
		f.RelationType, f.RelationItem = kind, item
	}
	if err := q.faults.Err(); err != nil {
		return err
	}
	page, err := w.Tickets.Tickets(api.Context(c), api.Caller(c).Tenant, f)
	if err != nil {
		return err
	}
	return api.Respond(c, http.StatusOK, done(list[line]{Items: each(page.Items, lineOf), Next: page.Next}))
}

func (w *Wing) timeline(c *fiber.Ctx) error {
	q, err := parseQuery(c)
	if err != nil {
		return err
	}
	after, limit := q.number("after", 0, 0, 1<<53), q.limit()
	if err := q.faults.Err(); err != nil {
		return err
	}
	t, err := w.ticket(c)
	if err != nil {
		return err
	}
	// One more than asked for tells whether there is another page.
	events, err := w.Tickets.Timeline(api.Context(c), t.ID, after, limit+1)
	if err != nil {
		return err
	}
	var next string
	if len(events) > limit {
		events = events[:limit]
		next = strconv.FormatInt(events[limit-1].Seq, 10)
	}
	return api.Respond(c, http.StatusOK, done(list[entry]{Items: each(events, entryOf), Next: next}))
}
