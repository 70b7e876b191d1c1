package houseapi

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	ics "github.com/arran4/golang-ical"
	"github.com/teambition/rrule-go"

	"signalbox/api"
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

// Holidays are what an iCalendar text says is free: the dates, each once and sorted, and the events that were passed over.
type Holidays struct {
	dates []calendar.Holiday
	left  []LeftOut
}

// LeftOut is an event that was passed over.
type LeftOut struct {
	Name  string `json:"name"`
	Start string `json:"start"` // as it is written
	Why   string `json:"why"`
}

// Imported is what an import of holidays came to.
type Imported struct {
	Key     string             `json:"key"`
	Version int                `json:"version"`     // of the calendar, afterwards
	Added   []calendar.Holiday `json:"added"`       // by date
	Had     int                `json:"had"`         // dates that the calendar has already, as holidays or as days that are worked
	Left    []LeftOut          `json:"passed_over"` // what of the text is no holiday
}

// Years gives the years that an import is for: this one to the fifth after it, unless others are given. Invalid, with the field at fault.
func Years(from, until *int, now time.Time) (first, last int, err error) {
	first = now.UTC().Year()
	last = first + 5
	var f ticket.Faults
	for _, bound := range []struct {
		field string
		given *int
		to    *int
	}{{"from", from, &first}, {"until", until, &last}} {
		if bound.given != nil {
			*bound.to = *bound.given
		}
		if *bound.to < calendar.FirstYear || *bound.to > calendar.LastYear {
			f.Add(bound.field, fmt.Sprintf("must be a year from %d to %d", calendar.FirstYear, calendar.LastYear))
		}
	}
	if last < first {
		f.Add("until", "must not be before from")
	}
	return first, last, f.Err()
}

// Into gives a calendar with the holidays as well, checked and with the offsets of its zone, and tells what is new. A date that it has keeps what it has: what a tenant
// wrote counts for more than what is imported. Invalid, field "ics": there would be too many.
func (h Holidays) Into(cal calendar.Calendar) (calendar.Calendar, Imported, error) {
	has := map[string]bool{}
	for _, d := range cal.Holidays {
		has[d.Date] = true
	}
	for _, d := range cal.WorkingDays {
		has[d.Date] = true
	}
	out := Imported{Key: cal.Key, Version: cal.Version, Added: []calendar.Holiday{}, Left: api.List(h.left)}
	for _, d := range h.dates {
		if has[d.Date] {
			out.Had++
			continue
		}
		out.Added = append(out.Added, d)
	}
	cal.Holidays = append(cal.Holidays[:len(cal.Holidays):len(cal.Holidays)], out.Added...)
	if zone, err := time.LoadLocation(cal.Zone); err == nil {
		cal.Offsets = calendar.OffsetsOf(zone)
	}
	if _, faults := calendar.Compile(cal); len(faults) > 0 {
		return cal, out, ticket.RefuseField(ticket.Invalid, "ics", "with these holidays the calendar's "+faults[0].Path+" "+faults[0].Message)
	}
	return cal, out, nil
}

// ReadHolidays reads the holidays out of a text of iCalendar (RFC 5545): the days of its whole-day events, those that come again every year included, of some years. What is no such event is
// passed over, with the reason. Invalid, field "ics": it is no calendar, or too much.
func ReadHolidays(text string, from, until int) (h Holidays, err error) {
	if len(text) > maxICS {
		return h, ticket.RefuseField(ticket.Invalid, "ics", ticket.Over(maxICS, "bytes", len(text)))
	}
	read, err := ics.ParseCalendar(strings.NewReader(text))
	if err != nil {
		return h, ticket.RefuseField(ticket.Invalid, "ics", "is no calendar as RFC 5545 has it: "+oneLine(err.Error()))
	}
	events := read.Events()
	if len(events) > maxEvents {
		return h, ticket.RefuseField(ticket.Invalid, "ics", ticket.Over(maxEvents, "events", len(events)))
	}
	names := map[string]string{}
	for _, e := range events {
		name := oneLine(valueOf(e, ics.ComponentPropertySummary))
		days, why := daysOf(e, from, until)
		if why != "" {
			h.left = append(h.left, LeftOut{Name: name, Start: oneLine(valueOf(e, ics.ComponentPropertyDtStart)), Why: why})
		}
		for _, day := range days {
			date := day.Format(time.DateOnly)
			if has, again := names[date]; !again || has == "" {
				names[date] = name
			}
		}
	}
	for date, name := range names {
		h.dates = append(h.dates, calendar.Holiday{Date: date, Name: name})
	}
	slices.SortFunc(h.dates, func(a, b calendar.Holiday) int { return strings.Compare(a.Date, b.Date) })
	return h, nil
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
