package subscription

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"signalbox/api"
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
	Timeout *int    `json:"timeout"` // seconds
	// Headers are sent along with every delivery. They are told nobody, since any of them may be a secret.
	Headers *map[string]string `json:"headers"`
}

// check tells what is wrong with what may be given at any time.
func (in members) check(f *ticket.Faults) {
	note(f, in.filter(notice.Filter{}).Check())
	if longest := int(notice.MaxTimeout / time.Second); in.Timeout != nil && (*in.Timeout < 1 || *in.Timeout > longest) {
		f.Add("timeout", fmt.Sprintf("must be 1 to %d seconds", longest))
	}
	if in.Headers != nil {
		note(f, notice.CheckHeaders("headers", *in.Headers))
	}
}

// carry gives s with time-out and headers where they were given.
func (in members) carry(s notice.Subscription) notice.Subscription {
	if in.Timeout != nil {
		s.Timeout = time.Duration(*in.Timeout) * time.Second
	}
	if in.Headers != nil {
		s.Headers = map[string]string{} // not nil: there are none from now on
		maps.Copy(s.Headers, *in.Headers)
	}
	return s
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
	note(&f, notice.CheckURL(sub.URL, allow))
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
		note(&f, notice.CheckSecret("secret", sub.Secret))
	}
	return in.carry(sub), f.Err()
}

// changing is what of a subscription is to be changed. What is left out stays as it is; an empty filter matches everything again.
type changing struct {
	members
	State *string `json:"state"`
}

func (in changing) check(allow notice.Reach) error {
	var f ticket.Faults
	if in.URL != nil {
		note(&f, notice.CheckURL(*in.URL, allow))
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
	s.Filter = in.filter(s.Filter)
	return in.carry(s), nil
}

func checkProfile(f *ticket.Faults, name string) {
	if !slices.Contains(profiles, name) {
		f.Add("profile", "must be one of "+strings.Join(profiles, ", "))
	}
}

// note adds a refusal to the faults.
func note(f *ticket.Faults, err error) {
	if refusal := ticket.AsError(err); refusal != nil {
		*f = append(*f, refusal)
	}
}

// view is a subscription as callers see it. Filters that match everything are left out.
type view struct {
	ID     string        `json:"id"`
	URL    string        `json:"url"`
	Format notice.Format `json:"format"`
	notice.Filter
	Profile      string                   `json:"profile"`
	Timeout      int                      `json:"timeout,omitempty"` // seconds; left out where it has none of its own
	State        notice.SubscriptionState `json:"state"`
	CreatedAt    time.Time                `json:"created_at"`
	FailingSince *time.Time               `json:"failing_since,omitempty"` // every try since then failed
	DroppedAt    *time.Time               `json:"dropped_at,omitempty"`
	Reason       string                   `json:"reason,omitempty"` // why it was dropped
}

func viewOf(s notice.Subscription) view {
	v := view{ID: s.ID, URL: s.URL, Format: s.Format, Filter: s.Filter, Profile: s.Profile, Timeout: int(s.Timeout / time.Second), State: s.State, CreatedAt: s.CreatedAt.UTC(),
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
