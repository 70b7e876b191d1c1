package apitest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"signalbox/notice"
	"signalbox/ticket"
)

type registered struct {
	notice.Subscription
	records []notice.DeliveryRecord
	secrets int // that it has had
}

// Register gives the active subscription of the address, or makes one.
func (h *House) Register(_ context.Context, t ticket.Ticket, url string) (notice.Subscription, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.register(t, url), h.Err
}

func (h *House) register(t ticket.Ticket, url string) notice.Subscription {
	for _, r := range h.addresses {
		if r.TicketID == t.ID && r.URL == url && r.State == notice.Active {
			return r.Subscription
		}
	}
	s := notice.Subscription{ID: uuid.NewString(), Tenant: t.Tenant, TicketID: t.ID, URL: url, Format: notice.FormatIssue,
		State: notice.Active, CreatedAt: h.Now()}
	h.addresses = append(h.addresses, &registered{Subscription: s})
	return s
}

// Registered lists the addresses of a ticket.
func (h *House) Registered(_ context.Context, ticketID int64) ([]notice.Registration, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []notice.Registration
	for _, r := range h.addresses {
		if r.TicketID == ticketID && r.State != notice.Deleted {
			all = append(all, r.registration())
		}
	}
	return all, h.Err
}

func (r *registered) registration() notice.Registration {
	counts := map[notice.DeliveryState]int{}
	for _, d := range r.records {
		counts[d.State]++
	}
	return notice.Registration{Subscription: r.Subscription, Counts: counts}
}

func (h *House) address(ticketID int64, id string) (*registered, error) {
	for _, r := range h.addresses {
		if r.TicketID == ticketID && r.ID == id && r.State != notice.Deleted {
			return r, nil
		}
	}
	return nil, ticket.Refuse(ticket.NotFound, "the ticket has no such notification")
}

// Registration is one of them.
func (h *House) Registration(_ context.Context, ticketID int64, id string) (notice.Registration, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r, err := h.address(ticketID, id)
	if err != nil {
		return notice.Registration{}, err
	}
	return r.registration(), h.Err
}

// Unregister deletes one.
func (h *House) Unregister(_ context.Context, ticketID int64, id string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	r, err := h.address(ticketID, id)
	if err != nil {
		return err
	}
	at := h.Now()
	r.State, r.EndedAt = notice.Deleted, &at
	return h.Err
}

// RotateAddress gives one a new secret.
func (h *House) RotateAddress(_ context.Context, ticketID int64, id string) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r, err := h.address(ticketID, id)
	switch {
	case err != nil:
		return "", err
	case r.State != notice.Active:
		return "", ticket.Refuse(ticket.Conflict, "the address was dropped; register it again")
	}
	r.secrets++
	return secretOf(r.secrets), h.Err
}

// Drop marks an address as given up.
func (h *House) Drop(id, reason string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := slices.IndexFunc(h.addresses, func(r *registered) bool { return r.ID == id })
	at := h.Now()
	h.addresses[i].State, h.addresses[i].Reason, h.addresses[i].EndedAt = notice.Dropped, reason, &at
}

// Owe makes an address owe a delivery in that state, with those attempts, and gives its id.
func (h *House) Owe(id, kind string, state notice.DeliveryState, attempts ...notice.Attempt) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := slices.IndexFunc(h.addresses, func(r *registered) bool { return r.ID == id })
	h.deliveries++
	d := notice.Delivery{ID: fmt.Sprintf("dl_%06d", h.deliveries), Type: kind, State: state, CreatedAt: h.Now()}
	h.addresses[i].records = append(h.addresses[i].records, notice.DeliveryRecord{Delivery: d, Attempts: attempts})
	return d.ID
}

// Deliveries lists what was owed to one address, newest first.
func (h *House) Deliveries(_ context.Context, id, cursor string, limit int) ([]notice.DeliveryRecord, string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	skip := 0
	if cursor != "" {
		n, err := strconv.Atoi(cursor)
		if err != nil {
			return nil, "", ticket.RefuseField(ticket.Invalid, "cursor", "is none of ours")
		}
		skip = n
	}
	i := slices.IndexFunc(h.addresses, func(r *registered) bool { return r.ID == id })
	all := slices.Clone(h.addresses[i].records)
	slices.Reverse(all)
	all = all[min(skip, len(all)):]
	if len(all) > limit {
		return all[:limit], strconv.Itoa(skip + limit), h.Err
	}
	return all, "", h.Err
}

// Redeliver starts a new round of tries.
func (h *House) Redeliver(_ context.Context, ticketID int64, id, delivery string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	r, err := h.address(ticketID, id)
	if err != nil {
		return err
	}
	for i := range r.records {
		d := &r.records[i].Delivery
		switch {
		case d.ID != delivery:
			continue
		case r.State != notice.Active:
			return ticket.Refuse(ticket.Conflict, "the address was dropped; register it again")
		case !d.State.Over():
			return ticket.Refuse(ticket.Conflict, "the delivery is still being tried")
		}
		d.State = notice.Pending
		return h.Err
	}
	return ticket.Refuse(ticket.NotFound, "the notification has no such delivery")
}

// Delivery is one of an address's deliveries.
func (h *House) Delivery(_ context.Context, id, delivery string) (notice.DeliveryRecord, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range h.addresses {
		for _, r := range a.records {
			if a.ID == id && r.ID == delivery {
				return r, h.Err
			}
		}
	}
	return notice.DeliveryRecord{}, errors.Join(h.Err, ticket.Refuse(ticket.NotFound, "there is no such delivery"))
}

// BeginRedelivery puts back at once what the selection names by its state.
func (h *House) BeginRedelivery(_ context.Context, tenant string, ticketID int64, id string, s notice.Selection, dry bool) (notice.Redelivery, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	a, err := h.address(ticketID, id)
	switch {
	case err != nil:
		return notice.Redelivery{}, err
	case a.State != notice.Active:
		return notice.Redelivery{}, ticket.Refuse(ticket.Conflict, "the address was dropped; register it again")
	}
	out := notice.Redelivery{Tenant: tenant, Subscription: id, State: notice.Redelivering, CreatedAt: h.Now()}
	for i := range a.records {
		if d := &a.records[i].Delivery; slices.Contains(s.States(), d.State) {
			out.Total++
			if !dry {
				d.State = notice.Pending
			}
		}
	}
	if !dry {
		out.ID, out.Done = uuid.NewString(), out.Total
		h.redeliveries = append(h.redeliveries, out)
	}
	return out, h.Err
}

// RedeliveryOf tells how far a redelivery is.
func (h *House) RedeliveryOf(_ context.Context, tenant, subscription, id string) (notice.Redelivery, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.redeliveries {
		if r.ID == id && r.Tenant == tenant && r.Subscription == subscription {
			return r, h.Err
		}
	}
	return notice.Redelivery{}, errors.Join(h.Err, ticket.Refuse(ticket.NotFound, "there is no such redelivery"))
}
