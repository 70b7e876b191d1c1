package apitest

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/notice"
	"signalbox/ticket"
)

// Ticket finds by number or UUID.
func (h *House) Ticket(_ context.Context, tenant, key string) (ticket.Ticket, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.Err != nil {
		return ticket.Ticket{}, h.Err
	}
	k, err := h.find(tenant, key)
	if err != nil {
		return ticket.Ticket{}, err
	}
	return k.ticket, nil
}

// Tickets lists newest first.
func (h *House) Tickets(_ context.Context, tenant string, f ticket.Filter) (ticket.Page, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	before := int64(len(h.cases) + 1)
	if f.Cursor != "" {
		n, err := strconv.ParseInt(f.Cursor, 10, 64)
		if err != nil {
			return ticket.Page{}, ticket.RefuseField(ticket.Invalid, "cursor", "is none of ours")
		}
		before = n
	}
	page := ticket.Page{Items: []ticket.Ticket{}}
	for _, k := range slices.Backward(h.cases) {
		if k.ticket.Tenant != tenant || k.ticket.ID >= before || !k.matches(f) {
			continue
		}
		if len(page.Items) == f.Limit {
			page.Next = strconv.FormatInt(page.Items[f.Limit-1].ID, 10)
			break
		}
		page.Items = append(page.Items, k.ticket)
	}
	return page, h.Err
}

func (k *kept) matches(f ticket.Filter) bool {
	t := k.ticket
	within := func(at, after, before time.Time) bool {
		return (after.IsZero() || at.After(after)) && (before.IsZero() || at.Before(before))
	}
	text := strings.ToLower(strings.Join(append([]string{t.Number, t.Title, t.Origin, t.Description}, t.Tags...), " "))
	words := !slices.ContainsFunc(strings.Fields(strings.ToLower(f.Words)), func(w string) bool { return !strings.Contains(text, w) })
	related := f.RelationType == "" || slices.ContainsFunc(k.relations, func(r ticket.Relation) bool {
		return r.Type == f.RelationType && slices.Contains(r.Content, f.RelationItem)
	})
	return words && related &&
		(f.Open == nil || *f.Open == t.Status.Open()) &&
		(len(f.Phases) == 0 || slices.Contains(f.Phases, t.Phase())) &&
		(f.Origin == "" || f.Origin == t.Origin) && (f.Tag == "" || slices.Contains(t.Tags, f.Tag)) &&
		(f.Service == "" || f.Service == t.Service) && (f.Assignee == "" || f.Assignee == t.Assignee) &&
		(f.WaitingFor == "" || slices.Contains(t.WaitingFor(), f.WaitingFor)) &&
		within(t.CreatedAt, f.CreatedAfter, f.CreatedBefore) && within(t.UpdatedAt, f.UpdatedAfter, f.UpdatedBefore)
}

// Relations gives all relations of a ticket.
func (h *House) Relations(_ context.Context, ticketID int64) ([]ticket.Relation, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.cases[ticketID-1].relations), h.Err
}

// Messages gives a part of the conversation.
func (h *House) Messages(_ context.Context, ticketID int64, after, limit int) ([]ticket.MessageRecord, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	messages := h.cases[ticketID-1].messages
	messages = messages[min(after, len(messages)):]
	return slices.Clone(messages[:min(limit, len(messages))]), h.Err
}

// Message gives one message.
func (h *House) Message(_ context.Context, ticketID int64, id string) (ticket.MessageRecord, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range h.cases[ticketID-1].messages {
		if m.ID == id {
			return m, h.Err
		}
	}
	return ticket.MessageRecord{}, ticket.Refuse(ticket.NotFound, "the ticket has no such message")
}

// Timeline gives events after a sequence number.
func (h *House) Timeline(_ context.Context, ticketID int64, after int64, limit int) ([]ticket.Event, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	events := h.cases[ticketID-1].events
	events = events[min(int(after), len(events)):]
	return slices.Clone(events[:min(limit, len(events))]), h.Err
}

// Entries gives events and alerts after a place.
func (h *House) Entries(_ context.Context, ticketID int64, after notice.Place, limit int) (list []notice.Entry, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	k := h.cases[ticketID-1]
	for i := range k.events {
		list = append(list, notice.Entry{Event: &k.events[i]})
		for j := range k.alerts {
			if k.alerts[j].Place.Seq == k.events[i].Seq {
				list = append(list, notice.Entry{Alert: &k.alerts[j]})
			}
		}
	}
	list = slices.DeleteFunc(list, func(e notice.Entry) bool { return !after.Before(e.Place()) })
	return list[:min(limit, len(list))], h.Err
}

// Raise writes an alert into the timeline of a ticket, after its last event.
func (h *House) Raise(number string, a notice.Alert) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, k := range h.cases {
		if k.ticket.Number != number {
			continue
		}
		a.Place = notice.Place{Seq: k.ticket.Seq, N: 1}
		for _, earlier := range k.alerts {
			if earlier.Place.Seq == a.Place.Seq {
				a.Place.N++
			}
		}
		k.alerts = append(k.alerts, a)
	}
}
