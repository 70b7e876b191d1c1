package subscription

import (
	"slices"
	"strings"
	"time"

	"signalbox/api"
	"signalbox/api/houseapi"
	"signalbox/notice"
	"signalbox/ticket"
)

// formats that a lasting subscription may have, with the profile that goes with each.
var formats = map[notice.Format]string{notice.FormatEvent: notice.Standard, notice.FormatPublish: notice.Publish}

var profiles = []string{notice.Standard, notice.Publish, notice.Minutely, notice.Once}

// members are those of a subscription that callers give.
type members struct {
	URL     *string `json:"url"`
	Format  *string `json:"format"`
	Source  *string `json:"source"`
	Topic   *string `json:"topic"`
	Type    *string `json:"type"`
	Status  *string `json:"status"`
	Key     *string `json:"key"`
	Profile *string `json:"profile"`
	Secret  *string `json:"secret"`
	Ordered *bool   `json:"ordered"`
	houseapi.Reaching
}

// check tells what is wrong with what may be given at any time.
func (in members) check(f *ticket.Faults) {
	houseapi.Note(f, in.filter(notice.Filter{}).Check())
	in.Reaching.Check(f, time.Now())
}

// filter gives f with the members that were given.
func (in members) filter(f notice.Filter) notice.Filter {
	for _, part := range []struct{ from, to *string }{{in.Source, &f.Source}, {in.Topic, &f.Topic}, {in.Type, &f.Type}, {in.Status, &f.Status}, {in.Key, &f.Key}} {
		if part.from != nil {
			*part.to = *part.from
		}
	}
	return f
}

// subscription makes a new one, or tells everything that is wrong with it.
func (in members) subscription(allow notice.Reach) (notice.Subscription, error) {
	sub := notice.Subscription{
		URL: api.Value(in.URL), Format: notice.Format(api.Value(in.Format)), Profile: api.Value(in.Profile), Secret: api.Value(in.Secret),
		Filter: in.filter(notice.Filter{}),
	}
	if sub.Format == "" {
		sub.Format = notice.FormatEvent
	}
	var f ticket.Faults
	houseapi.Note(&f, notice.CheckURL(sub.URL, allow))
	standard, known := formats[sub.Format]
	if !known {
		f.Add("format", "must be event or publish")
	}
	if sub.Profile == "" {
		sub.Profile = standard
	} else {
		checkProfile(&f, sub.Profile)
	}
	in.check(&f)
	if in.Secret != nil {
		houseapi.Note(&f, notice.CheckSecret("secret", sub.Secret))
	}
	if err := f.Err(); err != nil {
		return sub, err
	}
	sub = in.Apply(sub)
	sub.Unordered = in.Ordered != nil && !*in.Ordered
	return sub, in.CheckOrigin(notice.Subscription{}, sub)
}

// changing is what of a subscription is to be changed. What is left out stays as it is; an empty filter matches everything again.
type changing struct {
	members
	State *string `json:"state"`
}

func (in changing) check(allow notice.Reach) error {
	var f ticket.Faults
	if in.URL != nil {
		houseapi.Note(&f, notice.CheckURL(*in.URL, allow))
	}
	if in.Profile != nil {
		checkProfile(&f, *in.Profile)
	}
	in.members.check(&f)
	if in.State != nil && *in.State != string(notice.Active) && *in.State != string(notice.Paused) {
		f.Add("state", "must be active or paused")
	}
	if in.Secret != nil {
		f.Add("secret", "is changed by rotating it")
	}
	return f.Err()
}

// apply gives the subscription as it is to be.
func (in changing) apply(s notice.Subscription) (notice.Subscription, error) {
	was := s
	if in.Format != nil && *in.Format != string(s.Format) {
		return s, ticket.RefuseField(ticket.Invalid, "format", "cannot be changed; add another subscription")
	}
	if in.URL != nil {
		s.URL = *in.URL
	}
	if in.Profile != nil {
		s.Profile = *in.Profile
	}
	if in.State != nil {
		s.State = notice.SubscriptionState(*in.State)
	}
	if in.Ordered != nil {
		s.Unordered = !*in.Ordered
	}
	s.Filter = in.filter(s.Filter)
	s = in.Apply(s)
	return s, in.CheckOrigin(was, s)
}

func checkProfile(f *ticket.Faults, name string) {
	if !slices.Contains(profiles, name) {
		f.Add("profile", "must be one of "+strings.Join(profiles, ", "))
	}
}

// view is a subscription as callers see it. Filters that match everything are left out.
type view struct {
	ID     string        `json:"id"`
	URL    string        `json:"url"`
	Format notice.Format `json:"format"`
	notice.Filter
	Profile      string                   `json:"profile"`
	Ordered      bool                     `json:"ordered"`
	Timeout      int                      `json:"timeout,omitempty"` // seconds; left out where it has none of its own
	TLS          *notice.Trust            `json:"tls,omitempty"`     // what may be seen of it
	State        notice.SubscriptionState `json:"state"`
	CreatedAt    time.Time                `json:"created_at"`
	FailingSince *time.Time               `json:"failing_since,omitempty"` // every try since then failed
	DroppedAt    *time.Time               `json:"dropped_at,omitempty"`
	Reason       string                   `json:"reason,omitempty"` // why it was dropped
}

func viewOf(s notice.Subscription) view {
	v := view{ID: s.ID, URL: s.URL, Format: s.Format, Filter: s.Filter, Profile: s.Profile, Ordered: !s.Unordered, Timeout: int(s.Timeout / time.Second), TLS: houseapi.TrustOf(s), State: s.State, CreatedAt: s.CreatedAt.UTC(),
		FailingSince: api.UTC(s.FailingSince), Reason: s.Reason}
	if s.State == notice.Dropped {
		v.DroppedAt = api.UTC(s.EndedAt)
	}
	return v
}

// created is a subscription with its secret, which is told this once.
type created struct {
	view
	Secret   string    `json:"secret"`
	Warnings []warning `json:"warnings,omitempty"`
}

// warned is a subscription that was changed.
type warned struct {
	view
	Warnings []warning `json:"warnings,omitempty"`
}

// warning is what is taken all the same, and may be a mistake.
type warning struct {
	Code          string   `json:"code"`
	Message       string   `json:"message"`
	Subscriptions []string `json:"subscriptions"`
}

// warningsOf warns of others by which the address is told of the same.
func warningsOf(alike []string) []warning {
	if len(alike) == 0 {
		return nil
	}
	return []warning{{Code: "told_twice", Message: "the address is told of the same events by other subscriptions too", Subscriptions: alike}}
}

// counted is a subscription with how much has not arrived.
type counted struct {
	view
	Counts map[notice.DeliveryState]int `json:"counts"`
}

func countedOf(r notice.Registration) counted {
	out := counted{viewOf(r.Subscription), map[notice.DeliveryState]int{}}
	for _, state := range []notice.DeliveryState{notice.Pending, notice.Retrying, notice.Held, notice.Failed} {
		out.Counts[state] = r.Counts[state]
	}
	return out
}
