package calendar

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	ics "github.com/arran4/golang-ical"
	"github.com/teambition/rrule-go"

	"signalbox/calendar"
	"signalbox/ticket"
)

// Limits of what is imported.
const (
	maxICS    = 1 << 20 // bytes of text
	maxEvents = 5_000
	maxDays   = 60 // of one event
)

// dateOnly is a DATE of RFC 5545, section 3.3.4.
const dateOnly = "20060102"

// holidaysOf reads the holidays out of a text of iCalendar (RFC 5545): the days of its whole-day events, those that come again every year included, of some years, each date
// once and sorted. What is no such event is passed over, with the reason. Invalid, field "ics": it is no calendar, or too much.
func holidaysOf(text string, from, until int) (list []calendar.Holiday, left []leftOut, err error) {
	if len(text) > maxICS {
		return nil, nil, ticket.RefuseField(ticket.Invalid, "ics", ticket.Over(maxICS, "bytes", len(text)))
	}
	read, err := ics.ParseCalendar(strings.NewReader(text))
	if err != nil {
		return nil, nil, ticket.RefuseField(ticket.Invalid, "ics", "is no calendar as RFC 5545 has it: "+oneLine(err.Error()))
	}
	events := read.Events()
	if len(events) > maxEvents {
		return nil, nil, ticket.RefuseField(ticket.Invalid, "ics", ticket.Over(maxEvents, "events", len(events)))
	}
	names := map[string]string{}
	for _, e := range events {
		name := oneLine(valueOf(e, ics.ComponentPropertySummary))
		days, why := daysOf(e, from, until)
		if why != "" {
			left = append(left, leftOut{Name: name, Start: oneLine(valueOf(e, ics.ComponentPropertyDtStart)), Why: why})
		}
		for _, day := range days {
			date := day.Format(time.DateOnly)
			if has, again := names[date]; !again || has == "" {
				names[date] = name
			}
		}
	}
	for date, name := range names {
		list = append(list, calendar.Holiday{Date: date, Name: name})
	}
	slices.SortFunc(list, func(a, b calendar.Holiday) int { return strings.Compare(a.Date, b.Date) })
	return list, left, nil
}

// daysOf gives the days that an event takes whole, of some years; or why it is no holiday.
func daysOf(e *ics.VEvent, from, until int) (days []time.Time, why string) {
	start, err := time.Parse(dateOnly, valueOf(e, ics.ComponentPropertyDtStart))
	switch {
	case err != nil:
		return nil, "does not take whole days"
	case strings.EqualFold(valueOf(e, ics.ComponentPropertyStatus), "CANCELLED"):
		return nil, "is cancelled"
	case valueOf(e, "RECURRENCE-ID") != "":
		return nil, "changes one occurrence of another event, which is not looked at"
	case valueOf(e, "RDATE") != "":
		return nil, "comes again by a list of dates (RDATE), which is not looked at"
	}
	length := 1
	if text := valueOf(e, ics.ComponentPropertyDtEnd); text != "" {
		end, err := time.Parse(dateOnly, text)
		if err != nil || end.Before(start) {
			return nil, "does not end with a day, or before it begins"
		}
		length = max(1, int(end.Sub(start)/(24*time.Hour))) // DTEND is the day after
	}
	if length > maxDays {
		return nil, fmt.Sprintf("takes more than %d days", maxDays)
	}
	starts, why := startsOf(e, start, from, until)
	if why != "" {
		return nil, why
	}
	except := map[string]bool{}
	for _, p := range e.GetProperties("EXDATE") {
		for _, date := range strings.Split(p.Value, ",") {
			except[date] = true
		}
	}
	for _, s := range starts {
		for i := range length {
			if day := s.AddDate(0, 0, i); !except[s.Format(dateOnly)] && day.Year() >= from && day.Year() <= until {
				days = append(days, day)
			}
		}
	}
	return days, ""
}

// startsOf gives the days on which an event begins: one, or one or more every year.
func startsOf(e *ics.VEvent, start time.Time, from, until int) ([]time.Time, string) {
	text := valueOf(e, ics.ComponentPropertyRrule)
	if text == "" {
		return []time.Time{start}, ""
	}
	option, err := rrule.StrToROption(text)
	switch {
	case err != nil:
		return nil, "its RRULE cannot be read"
	case option.Freq != rrule.YEARLY || len(option.Byhour)+len(option.Byminute)+len(option.Bysecond) > 0:
		return nil, "comes again otherwise than every year"
	case start.Year() < 1900:
		return nil, "begins before 1900"
	}
	option.Dtstart = start
	if end := time.Date(until, 12, 31, 0, 0, 0, 0, time.UTC); option.Until.IsZero() || option.Until.After(end) {
		option.Until = end
	}
	rule, err := rrule.NewRRule(*option)
	if err != nil {
		return nil, "its RRULE cannot be read"
	}
	// One that began the year before may reach into the first year.
	return rule.Between(time.Date(from-1, 1, 1, 0, 0, 0, 0, time.UTC), option.Until, true), ""
}

func valueOf(e *ics.VEvent, property ics.ComponentProperty) string {
	if p := e.GetProperty(property); p != nil {
		return ics.FromText(p.Value)
	}
	return ""
}

// oneLine makes a text of somebody else fit to be a name.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, " "))
	runes := []rune(strings.TrimSpace(text))
	return string(runes[:min(len(runes), calendar.MaxName)])
}
