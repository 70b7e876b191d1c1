package apitest

import (
	"context"
	"slices"
	"time"

	"signalbox/ticket"
)

// TicketURL is where people would see a ticket.
func (h *House) TicketURL(number string) string { return "https://box.example/ticket/" + number }

// Search gives a page of tickets, newest first, and how many there are on all pages.
func (h *House) Search(_ context.Context, tenant string, f ticket.Search) (items []ticket.Ticket, total int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, k := range slices.Backward(h.cases) {
		if k.ticket.Tenant != tenant || !k.fits(f) {
			continue
		}
		if total >= f.Offset && (f.Limit == 0 || len(items) < f.Limit) {
			items = append(items, k.ticket)
		}
		total++
	}
	return items, total, h.Err
}

func (k *kept) fits(f ticket.Search) bool {
	t := k.ticket
	within := func(at *time.Time, from, to time.Time) bool {
		return (from.IsZero() || at != nil && !at.Before(from)) && (to.IsZero() || at != nil && !at.After(to))
	}
	has := map[ticket.Part]bool{
		ticket.PartOpener: t.Opener == f.Person, ticket.PartActor: slices.Contains(k.actors(), f.Person),
		ticket.PartFollower: slices.Contains(t.Followers, f.Person), ticket.PartApprover: slices.Contains(t.Approvers(), f.Person),
	}
	return (len(f.Keys) == 0 || slices.Contains(f.Keys, t.Number) || slices.Contains(f.Keys, t.UUID)) &&
		(len(f.Parts) == 0 || slices.ContainsFunc(f.Parts, func(p ticket.Part) bool { return has[p] })) &&
		(!f.Asked || slices.Contains(t.WaitingFor(), f.Person)) && (!f.Others || t.Opener != f.Person) && (f.Opener == "" || t.Opener == f.Opener) &&
		(f.Tag == "" || slices.Contains(t.Tags, f.Tag)) && (len(f.Phases) == 0 || slices.Contains(f.Phases, t.Phase())) &&
		(len(f.Services) == 0 || slices.Contains(f.Services, t.Service)) &&
		within(&t.CreatedAt, f.CreatedFrom, f.CreatedTo) && within(t.EndedAt(), f.EndedFrom, f.EndedTo)
}

func (k *kept) actors() (names []string) {
	for _, e := range k.events {
		if who := e.Acted(); who != "" && !slices.Contains(names, who) {
			names = append(names, who)
		}
	}
	return names
}

// Actors gives everybody who moved a ticket, in order.
func (h *House) Actors(_ context.Context, tickets []int64) (map[int64][]string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := map[int64][]string{}
	for _, id := range tickets {
		out[id] = h.cases[id-1].actors()
	}
	return out, h.Err
}

// Ratings gives those that there are.
func (h *House) Ratings(_ context.Context, tickets []int64) (map[int64]ticket.Rating, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := map[int64]ticket.Rating{}
	for _, id := range tickets {
		if r := h.cases[id-1].rating; r.Stars > 0 {
			out[id] = r
		}
	}
	return out, h.Err
}

// Rate keeps a rating of a completed ticket that has none.
func (h *House) Rate(_ context.Context, tenant, key string, r ticket.Rating) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	k, err := h.find(tenant, key)
	switch {
	case err != nil:
		return err
	case k.ticket.Status != ticket.Completed:
		return ticket.RefuseField(ticket.Conflict, "status", "the ticket is not completed")
	case k.rating.Stars > 0:
		return ticket.RefuseField(ticket.Conflict, "stars", "the ticket has a rating already")
	}
	k.rating = r
	k.rating.ID = k.ticket.ID
	return h.Err
}

// FailCallback makes the callback of a ticket one that was given up.
func (h *House) FailCallback(tenant, number string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	k, err := h.find(tenant, number)
	if err != nil {
		panic(err)
	}
	k.failed = true
}

// FailedCallbacks lists the tickets of FailCallback, oldest first.
func (h *House) FailedCallbacks(_ context.Context, tenant string) (numbers []string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, k := range h.cases {
		if k.failed && k.ticket.Tenant == tenant {
			numbers = append(numbers, k.ticket.Number)
		}
	}
	return numbers, h.Err
}

// Unlist takes tickets that are over off that list.
func (h *House) Unlist(_ context.Context, _ string, tickets []int64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, id := range tickets {
		k := h.cases[id-1]
		k.failed = k.failed && !k.ticket.Ended()
	}
	return h.Err
}

// Token is the one that VerifyToken takes for a ticket.
func (h *House) Token(number string) string { return "token of " + number }

// VerifyToken reports whether a token is that of a ticket of the tenant's.
func (h *House) VerifyToken(_ context.Context, tenant, token string) (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.ContainsFunc(h.cases, func(k *kept) bool {
		return k.ticket.Tenant == tenant && h.Token(k.ticket.Number) == token
	}), h.Err
}

// Callback is what a ticket was opened with.
func (h *House) Callback(number string) *ticket.Callback {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, k := range h.cases {
		if k.ticket.Number == number {
			return k.events[0].After.Opening.Callback
		}
	}
	return nil
}
