package page

import (
	"time"

	"signalbox/ticket"
)

// momentForms are how times stand in addresses and forms: exactly, as the API has them, and as browsers send what was chosen, in the visitor's time zone.
var momentForms = []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly}

// Moment reads a time of a form or an address; the zero time where there is none. Invalid, naming the field: it is no time.
func (v *Visit) Moment(field, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, form := range momentForms {
		if at, err := time.ParseInLocation(form, text, v.Zone()); err == nil && at.Year() >= 1 && at.Year() <= 9999 {
			return at.UTC(), nil
		}
	}
	return time.Time{}, ticket.RefuseField(ticket.Invalid, field, "must be a time like 2006-01-02T15:04")
}

// ChosenMoment gives a time as the field of a form has it that browsers choose times with; empty for the zero time.
func (v *Visit) ChosenMoment(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.In(v.Zone()).Format("2006-01-02T15:04:05")
}
