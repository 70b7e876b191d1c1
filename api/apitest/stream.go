package apitest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"signalbox/notice"
	"signalbox/ticket"
)

// Stream is the stream and its lasting subscriptions, in memory. Its desk is a House, by whose clock it goes and with which it fails.
type Stream struct {
	*House
	Events []notice.Published // of all tenants, in order
	Most   int                // lasting subscriptions of a tenant; notice.MaxSubscriptions unless set

	lasting []*followed
}

type followed struct {
	notice.Subscription
	records []notice.DeliveryRecord
}

// Publish keeps an event and owes it to who follows it.
func (s *Stream) Publish(_ context.Context, tenant, _ string, p notice.Published) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Err != nil {
		return s.Err
	}
	s.Events = append(s.Events, p)
	for _, f := range s.lasting {
		if f.Tenant == tenant && f.Filter.Matches(p) && (f.State == notice.Active || f.State == notice.Paused) {
			s.owe(f, p)
		}
	}
	return nil
}

func (s *Stream) owe(f *followed, p notice.Published) string {
	body, _ := notice.RenderPublished(f.Format, p)
	s.deliveries++
	d := notice.Delivery{ID: fmt.Sprintf("msg_%06d", s.deliveries), Type: p.Type, Body: body, State: notice.Pending, CreatedAt: s.Now()}
	if f.State == notice.Paused {
		d.State = notice.Held
	}
	f.records = append(f.records, notice.DeliveryRecord{Delivery: d})
	return d.ID
}

// Subscribe adds a lasting subscription.
func (s *Stream) Subscribe(_ context.Context, sub notice.Subscription) (notice.Subscription, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, most := 0, s.Most
	if most == 0 {
		most = notice.MaxSubscriptions
	}
	for _, f := range s.lasting {
		if f.Tenant == sub.Tenant && f.State != notice.Deleted {
			n++
		}
	}
	if n >= most {
		return sub, ticket.Refuse(ticket.TooMany, "no more are taken")
	}
	sub.ID, sub.State, sub.CreatedAt = uuid.NewString(), notice.Active, s.Now()
	if sub.Secret == "" {
		sub.Secret = notice.SecretPrefix + strings.Repeat("A", 32)
	}
	s.lasting = append(s.lasting, &followed{Subscription: sub})
	return sub, s.Err
}

func (s *Stream) one(tenant, id string) (*followed, error) {
	for _, f := range s.lasting {
		if f.Tenant == tenant && f.ID == id && f.State != notice.Deleted {
			return f, s.Err
		}
	}
	return nil, ticket.Refuse(ticket.NotFound, "there is no such subscription")
}

func (f *followed) shown() notice.Subscription {
	sub := f.Subscription
	sub.Secret = ""
	return sub
}

// Subscriptions lists newest first.
func (s *Stream) Subscriptions(_ context.Context, tenant string, state notice.SubscriptionState, cursor string, limit int) ([]notice.Subscription, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	skip := 0
	if cursor != "" {
		n, err := strconv.Atoi(cursor)
		if err != nil {
			return nil, "", ticket.RefuseField(ticket.Invalid, "cursor", "is none of ours")
		}
		skip = n
	}
	var all []notice.Subscription
	for _, f := range slices.Backward(s.lasting) {
		if f.Tenant == tenant && f.State != notice.Deleted && (state == "" || f.State == state) {
			all = append(all, f.shown())
		}
	}
	all = all[min(skip, len(all)):]
	if len(all) > limit {
		return all[:limit], strconv.Itoa(skip + limit), s.Err
	}
	return all, "", s.Err
}

// Subscription is one of them.
func (s *Stream) Subscription(_ context.Context, tenant, id string) (notice.Registration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.one(tenant, id)
	if err != nil {
		return notice.Registration{}, err
	}
	counts := map[notice.DeliveryState]int{}
	for _, r := range f.records {
		counts[r.State]++
	}
	return notice.Registration{Subscription: f.shown(), Counts: counts}, nil
}

// Amend changes one.
func (s *Stream) Amend(_ context.Context, tenant, id string, change func(notice.Subscription) (notice.Subscription, error)) (notice.Subscription, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.one(tenant, id)
	if err != nil {
		return notice.Subscription{}, err
	}
	changed, err := change(f.shown())
	if err != nil {
		return changed, err
	}
	from, to := notice.Pending, notice.Held
	if changed.State == notice.Active {
		from, to = to, from
		changed.Reason, changed.EndedAt = "", nil
	}
	for i := range f.records {
		if f.records[i].State == from {
			f.records[i].State = to
		}
	}
	secret := f.Secret
	f.Subscription = changed
	f.Secret = secret
	return changed, nil
}

// Rotate gives one a new secret.
func (s *Stream) Rotate(_ context.Context, tenant, id string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.one(tenant, id)
	if err != nil {
		return "", err
	}
	f.Older = append(f.Older, f.Secret)
	f.Secret = notice.SecretPrefix + strings.Repeat("B", 32)
	return f.Secret, nil
}

// Unsubscribe deletes one.
func (s *Stream) Unsubscribe(_ context.Context, tenant, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.one(tenant, id)
	if err == nil {
		f.State = notice.Deleted
	}
	return err
}

// Try publishes to one alone.
func (s *Stream) Try(_ context.Context, tenant, _, id string, p notice.Published) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.one(tenant, id)
	switch {
	case err != nil:
		return "", err
	case f.State != notice.Active:
		return "", ticket.Refuse(ticket.Conflict, "the subscription is "+string(f.State))
	}
	s.Events = append(s.Events, p)
	return s.owe(f, p), nil
}

// Deliveries lists what was owed to one, newest first.
func (s *Stream) Deliveries(_ context.Context, id, cursor string, limit int) ([]notice.DeliveryRecord, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cursor != "" {
		return nil, "", ticket.RefuseField(ticket.Invalid, "cursor", "is none of ours")
	}
	for _, f := range s.lasting {
		if f.ID == id {
			all := slices.Clone(f.records)
			slices.Reverse(all)
			return all[:min(limit, len(all))], "", s.Err
		}
	}
	return nil, "", s.Err
}

// Resend starts a new round of tries.
func (s *Stream) Resend(_ context.Context, tenant, id, delivery string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.one(tenant, id)
	if err != nil {
		return err
	}
	for i := range f.records {
		d := &f.records[i].Delivery
		switch {
		case d.ID != delivery:
			continue
		case f.State != notice.Active:
			return ticket.Refuse(ticket.Conflict, "the subscription is "+string(f.State))
		case !d.State.Over():
			return ticket.Refuse(ticket.Conflict, "the delivery is still being tried")
		}
		d.State = notice.Pending
		return nil
	}
	return ticket.Refuse(ticket.NotFound, "it has no such delivery")
}

// Delivery is one of the deliveries.
func (s *Stream) Delivery(_ context.Context, id, delivery string) (notice.DeliveryRecord, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.lasting {
		for _, r := range f.records {
			if f.ID == id && r.ID == delivery {
				return r, s.Err
			}
		}
	}
	return notice.DeliveryRecord{}, ticket.Refuse(ticket.NotFound, "it has no such delivery")
}

// BeginRedelivery puts back at once what the selection names by its state.
func (s *Stream) BeginRedelivery(_ context.Context, tenant string, _ int64, id string, sel notice.Selection, dry bool) (notice.Redelivery, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.one(tenant, id)
	switch {
	case err != nil:
		return notice.Redelivery{}, err
	case f.State != notice.Active:
		return notice.Redelivery{}, ticket.Refuse(ticket.Conflict, "the subscription is "+string(f.State))
	}
	out := notice.Redelivery{Tenant: tenant, Subscription: id, State: notice.Redelivering, CreatedAt: s.Now()}
	for i := range f.records {
		if d := &f.records[i].Delivery; slices.Contains(sel.States(), d.State) {
			out.Total++
			if !dry {
				d.State = notice.Pending
			}
		}
	}
	if !dry {
		out.ID, out.Done = uuid.NewString(), out.Total
		s.redeliveries = append(s.redeliveries, out)
	}
	return out, s.Err
}

// Settle gives every delivery of one a state, with an attempt that led there.
func (s *Stream) Settle(id string, state notice.DeliveryState, a notice.Attempt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.lasting {
		for i := range f.records {
			if f.ID == id {
				f.records[i].State, f.records[i].Attempts = state, append(f.records[i].Attempts, a)
			}
		}
	}
}

// GiveUp drops one, for a reason.
func (s *Stream) GiveUp(id, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.lasting {
		if f.ID == id {
			at := s.Now()
			f.State, f.Reason, f.EndedAt, f.FailingSince = notice.Dropped, reason, &at, &at
		}
	}
}
