package calendar_test

import (
	"log/slog"
	"testing"

	"signalbox/api"
	"signalbox/api/apitest"
	"signalbox/api/calendar"
)

// FuzzCalls: whatever is sent to any call of the calendars, published, checked or imported, it is answered or refused.
func FuzzCalls(f *testing.F) {
	apitest.Fuzz(f, func(t testing.TB) apitest.Stand {
		back := apitest.NewBackend(t, nil)
		handler := calendar.Handler{Desk: back, Calendars: back, Now: now}
		server := api.New(api.Config{}, apitest.NewApps(), nil, slog.New(slog.DiscardHandler), handler.Family())
		return apitest.Stand{Server: server, Known: map[string]string{"key": "office", "version": "1"}}
	}, "testdata", office, `{"enabled":false}`,
		`{"ics":"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20261225\r\nRRULE:FREQ=YEARLY;COUNT=99999999;BYSETPOS=-1\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n","from":2026,"until":2069,"dry_run":true}`,
		`{"key":"office","name":"x","zone":"../../etc/passwd","week":{"monday":["00:00-24:00"]},"day":"24h","holidays":[{"date":"2069-12-31"}]}`)
}
