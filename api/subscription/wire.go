package subscription

import (
	"time"

	"signalbox/api"
	"signalbox/api/houseapi"
	"signalbox/notice"
)

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
