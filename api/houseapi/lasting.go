package houseapi

import (
	"slices"
	"strings"
	"time"

	"signalbox/api"
	"signalbox/notice"
	"signalbox/ticket"
)

// formats that a lasting subscription may have, with the profile that goes with each.
var formats = map[notice.Format]string{notice.FormatEvent: notice.Standard, notice.FormatPublish: notice.Publish}

// Profiles are those that a lasting subscription can be tried by.
var Profiles = []string{notice.Standard, notice.Publish, notice.Minutely, notice.Once}

// Lasting is a lasting subscription as its owner gives it, to the API or on a page. What is nil was not given.
type Lasting struct {
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
	Reaching
}

// check tells what is wrong with what may be given at any time.
func (in Lasting) check(f *ticket.Faults) {
	Note(f, in.filter(notice.Filter{}).Check())
	in.Reaching.Check(f, time.Now())
}

// filter gives f with the members that were given.
func (in Lasting) filter(f notice.Filter) notice.Filter {
	for _, part := range []struct{ from, to *string }{{in.Source, &f.Source}, {in.Topic, &f.Topic}, {in.Type, &f.Type}, {in.Status, &f.Status}, {in.Key, &f.Key}} {
		if part.from != nil {
			*part.to = *part.from
		}
	}
	return f
}

// Subscription makes a new one, or tells everything that is wrong with it. allow is where addresses may lead.
func (in Lasting) Subscription(allow notice.Reach) (notice.Subscription, error) {
	sub := notice.Subscription{
		URL: api.Value(in.URL), Format: notice.Format(api.Value(in.Format)), Profile: api.Value(in.Profile), Secret: api.Value(in.Secret),
		Filter: in.filter(notice.Filter{}),
	}
	if sub.Format == "" {
		sub.Format = notice.FormatEvent
	}
	var f ticket.Faults
	Note(&f, notice.CheckURL(sub.URL, allow))
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
		Note(&f, notice.CheckSecret("secret", sub.Secret))
	}
	if err := f.Err(); err != nil {
		return sub, err
	}
	sub = in.Reaching.Apply(sub)
	sub.Unordered = in.Ordered != nil && !*in.Ordered
	return sub, in.CheckOrigin(notice.Subscription{}, sub)
}

// LastingChange is what of a lasting subscription is to be changed. What is left out stays as it is; an empty filter matches everything again.
type LastingChange struct {
	Lasting
	State *string `json:"state"`
}

// Check tells what is wrong with it whatever the subscription is. allow is where addresses may lead.
func (in LastingChange) Check(allow notice.Reach) error {
	var f ticket.Faults
	if in.URL != nil {
		Note(&f, notice.CheckURL(*in.URL, allow))
	}
	if in.Profile != nil {
		checkProfile(&f, *in.Profile)
	}
	in.Lasting.check(&f)
	if in.State != nil && *in.State != string(notice.Active) && *in.State != string(notice.Paused) {
		f.Add("state", "must be active or paused")
	}
	if in.Secret != nil {
		f.Add("secret", "is changed by rotating it")
	}
	return f.Err()
}

// Apply gives the subscription as it is to be. It has been checked.
func (in LastingChange) Apply(s notice.Subscription) (notice.Subscription, error) {
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
	s = in.Reaching.Apply(s)
	return s, in.CheckOrigin(was, s)
}

func checkProfile(f *ticket.Faults, name string) {
	if !slices.Contains(Profiles, name) {
		f.Add("profile", "must be one of "+strings.Join(Profiles, ", "))
	}
}
