package houseapi

import (
	"fmt"
	"strings"
	"time"

	"signalbox/notice"
	"signalbox/people"
	"signalbox/ticket"
)

// Reachable refuses webhooks of a person's that may not be called; at is in front of their members' names. One that is handed back as it was shown is known already.
func Reachable(at string, chats []people.Chat, reach notice.Reach) error {
	for i, chat := range chats {
		if chat.Webhook == "" || strings.Contains(chat.Webhook, people.Redacted) {
			continue
		}
		if refusal := ticket.AsError(notice.CheckURL(chat.Webhook, reach)); refusal != nil {
			return ticket.RefuseField(refusal.Code, fmt.Sprintf("%schats[%d].webhook", at, i), refusal.Message)
		}
	}
	return nil
}

// Away reads from when to when somebody is away, in their time zone: a date is the whole day, the last one too. An empty to has no end.
func Away(a people.Absence, from, to string, person people.PersonRecord) (people.Absence, error) {
	zone, err := person.Zone()
	if err != nil {
		zone = time.UTC // what was a zone once: the names of some are given up
	}
	var f ticket.Faults
	read := func(field, text string, last bool) (at time.Time) {
		if text == "" {
			return at
		}
		at, err := moment(text, zone, last)
		if err != nil {
			f.Add(field, err.Error())
		}
		return at
	}
	a.From, a.To = read("from", from, false), read("to", to, true)
	return a, f.Err()
}

// moment reads a time of RFC 3339, or a date: its beginning, or as the last day the beginning of the day after.
func moment(text string, zone *time.Location, last bool) (time.Time, error) {
	if day, err := time.ParseInLocation(time.DateOnly, text, zone); err == nil {
		if last {
			day = time.Date(day.Year(), day.Month(), day.Day()+1, 0, 0, 0, 0, zone)
		}
		return day, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, fmt.Errorf("must be a date such as 2026-12-24, or a time such as 2026-12-24T18:00:00+01:00 (RFC 3339)")
	}
	return at, nil
}

// CheckMembership refuses to take members into a group and out of it who are wrong by themselves, or nobody at all.
func CheckMembership(m people.Membership) error {
	var f ticket.Faults
	for _, part := range []struct {
		field   string
		members []people.Member
	}{{"add", m.Add}, {"remove", m.Remove}} {
		if len(part.members) > people.MaxMembers {
			f.Add(part.field, ticket.Over(people.MaxMembers, "items", len(part.members)))
			continue
		}
		for _, fault := range people.CheckMembers(part.field, part.members) {
			f.Add(fault.Field, fault.Message)
		}
	}
	if len(m.Add)+len(m.Remove) == 0 {
		f.Add("add", "is required where nobody is to be removed")
	}
	return f.Err()
}
