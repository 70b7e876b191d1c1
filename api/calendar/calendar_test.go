package calendar_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/api/apitest"
	"signalbox/api/calendar"
	"signalbox/api/service"
)

var start = time.Date(2026, 11, 30, 3, 4, 5, 0, time.UTC)

func now() time.Time { return start }

// bench is a server with calendars and services over the true desk and store.
type bench struct {
	*testing.T
	apitest.Client
}

func setup(t *testing.T) bench {
	t.Helper()
	back := apitest.NewBackend(t, nil)
	calendars := calendar.Handler{Desk: back, Calendars: back, Now: now}
	services := service.Handler{Desk: back, Services: back, Now: now}
	server := api.New(api.Config{}, apitest.NewApps(), nil, slog.New(slog.NewTextHandler(io.Discard, nil)), calendars.Family(), services.Family())
	return bench{t, apitest.Client{T: t, App: server.App(), Contract: apitest.LoadContract(t, "calendar", "service"), Secret: apitest.Boss}}
}

const office = `
key: office
name: Office
zone: Europe/Berlin
week:
  monday: ["09:00-17:00"]
  friday: ["09:00-15:00"]
holidays:
  - {date: "2026-12-25", name: Christmas}
`

// answer is one with its body as text.
type answer struct {
	Status int
	Body   string
}

func (b bench) call(method, path string, body any, headers ...string) answer {
	b.T.Helper()
	a := b.Do(method, path, body, headers...)
	return answer{a.Status, string(a.Body)}
}

func TestACalendarIsPublishedShownAndDisabled(t *testing.T) {
	b := setup(t)
	a := b.call("POST", "/api/calendar", office, "Content-Type", "application/yaml")
	require.Equal(t, http.StatusOK, a.Status, a.Body)
	require.JSONEq(t, `{"success":true,"message":"","result":{"key":"office","version":1}}`, a.Body)
	require.Equal(t, a.Body, b.call("POST", "/api/calendar", office, "Content-Type", "application/yaml").Body, "the same is the same version")
	shown := b.call("GET", "/api/calendar/office", nil)
	require.NotContains(t, shown.Body, "offsets", "which nobody writes")
	require.Equal(t, 1, strings.Count(b.call("POST", "/api/calendar", shown.Body).Body, `"version":1`), "what is shown can be published again")
	require.Contains(t, b.call("GET", "/api/calendar/office", nil, "Accept", "application/yaml").Body, "zone: Europe/Berlin")
	b.call("POST", "/api/calendar", strings.Replace(office, "09:00-15:00", "09:00-16:00", 1), "Content-Type", "application/yaml")
	require.Contains(t, b.call("GET", "/api/calendar/office/versions/1", nil).Body, "09:00-15:00", "a version never changes")
	require.Contains(t, b.call("GET", "/api/calendar/office/versions", nil).Body, `"version":2`)
	require.Contains(t, b.call("GET", "/api/calendar", nil).Body, `"enabled":true`)

	const named = "key: s\nname: S\ncalendar: office\nnodes: [{id: t, name: T, type: task, processors: {anyone: true}, deadline: [{after: 8 working hours, do: remind}], next: e}, {id: e, name: E, type: end}]"
	require.Equal(t, http.StatusOK, b.call("POST", "/api/service", named, "Content-Type", "application/yaml").Status)
	require.NotContains(t, b.call("GET", "/api/service/s", nil).Body, "calendars", "which have versions of their own")
	require.Equal(t, http.StatusOK, b.call("PUT", "/api/calendar/office", map[string]any{"enabled": false}).Status)
	refused := b.call("POST", "/api/service", strings.Replace(named, "name: S", "name: T", 1), "Content-Type", "application/yaml")
	require.Equal(t, http.StatusBadRequest, refused.Status)
	require.Contains(t, refused.Body, `3:11 calendar: there is no calendar \"office\" that can be named`)
	require.Equal(t, http.StatusOK, b.call("POST", "/api/service/simulate", map[string]any{"service": "s"}).Status, "what names it goes on")
	for _, path := range []string{"/api/calendar/none", "/api/calendar/office/versions/7", "/api/calendar/office/versions/x", "/api/calendar/none/versions"} {
		require.Equal(t, http.StatusNotFound, b.call("GET", path, nil).Status, path)
	}
}

// TestASimulationSkipsOverNightsAndHolidays: a deadline of nine working hours from Friday morning is over on the Monday after a holiday on Monday.
func TestASimulationSkipsOverNightsAndHolidays(t *testing.T) {
	b := setup(t)
	require.Equal(t, http.StatusOK, b.call("POST", "/api/calendar", strings.Replace(office, "2026-12-25", "2026-12-07", 1), "Content-Type", "application/yaml").Status)
	a := b.call("POST", "/api/service/simulate", map[string]any{"start": "2026-12-04T08:00:00Z", "definition": `
key: s
name: S
calendar: office
sla: [{name: resolve, until: end, target: 8 working hours, warn: 50 %}]
nodes:
- {id: t, name: T, type: task, processors: {persons: [ann]}, deadline: [{after: 7 working hours, do: approve}], next: e}
- {id: e, name: E, type: end}
`})
	require.Equal(t, http.StatusOK, a.Status, a.Body)
	for _, at := range []string{`"at":"2026-12-04T12:00:00Z","sla":"resolve"`, `"stage":0,"kind":"deadline","at":"2026-12-11T09:00:00Z"`, `"kind":"sla_warned"`} {
		require.Contains(t, a.Body, at)
	}
	require.NotContains(t, a.Body, "sla_breached")
}

func TestFaultsOfACalendarAreTold(t *testing.T) {
	b := setup(t)
	bad := "key: office\nname: Office\nzone: Europe/Nowhere\nweek: {monday: [\"22:00-06:00\"]}\nholydays: []\noffsets: [[0, 0]]\n"
	a := b.call("POST", "/api/calendar", bad, "Content-Type", "application/yaml")
	require.Equal(t, http.StatusBadRequest, a.Status)
	for _, part := range []string{"the calendar has 5 faults", "zone", "must be the name of a time zone", "week.monday[0]", "goes on after midnight", "there is no member", "are given by the publisher"} {
		require.Contains(t, a.Body, part)
	}
	require.Contains(t, b.call("POST", "/api/calendar/check", bad, "Content-Type", "application/yaml").Body, `"valid":false`)
	require.Contains(t, b.call("POST", "/api/calendar/check", office, "Content-Type", "application/yaml").Body, `"valid":true`)
	require.Contains(t, b.call("POST", "/api/calendar/check", strings.Replace(office, "Europe/Berlin", "Local", 1), "Content-Type", "application/yaml").Body, "name of a time zone")
	require.Equal(t, http.StatusRequestEntityTooLarge, b.call("POST", "/api/calendar", strings.Repeat("#", 129<<10), "Content-Type", "application/yaml").Status)
}

const holidays = `BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//authority//holidays//EN
%sEND:VCALENDAR
`

func event(lines ...string) string {
	return "BEGIN:VEVENT\nUID:1\nDTSTAMP:20260101T000000Z\n" + strings.Join(lines, "\n") + "\nEND:VEVENT\n"
}

func TestHolidaysAreImported(t *testing.T) {
	b := setup(t)
	require.Equal(t, http.StatusOK, b.call("POST", "/api/calendar", office, "Content-Type", "application/yaml").Status)
	text := strings.ReplaceAll(fmt.Sprintf(holidays,
		event("DTSTART;VALUE=DATE:20201225", "SUMMARY:Christmas", "RRULE:FREQ=YEARLY")+
			event("DTSTART;VALUE=DATE:20201001", "SUMMARY:Harvest\\, the first Sunday", "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=1SU", "EXDATE;VALUE=DATE:20271003")+
			event("DTSTART;VALUE=DATE:20261231", "DTEND;VALUE=DATE:20270102", "SUMMARY:New Year")+
			event("DTSTART;VALUE=DATE:20260501", "SUMMARY:called off", "STATUS:CANCELLED")+
			event("DTSTART:20261224T120000Z", "SUMMARY:from noon")+
			event("DTSTART;VALUE=DATE:20260101", "SUMMARY:every week", "RRULE:FREQ=WEEKLY")+
			event("DTSTART;VALUE=DATE:20260101", "SUMMARY:broken", "RRULE:FREQ=SOMETIMES")), "\n", "\r\n")
	ask := map[string]any{"ics": text, "from": 2026, "until": 2027, "dry_run": true}
	dry := b.call("POST", "/api/calendar/office/import", ask)
	require.Equal(t, http.StatusOK, dry.Status, dry.Body)
	require.JSONEq(t, `{"success":true,"message":"","result":{"key":"office","version":1,"had":1,
		"added":[{"date":"2026-10-04","name":"Harvest, the first Sunday"},{"date":"2026-12-31","name":"New Year"},{"date":"2027-01-01","name":"New Year"},{"date":"2027-12-25","name":"Christmas"}],
		"passed_over":[{"name":"called off","start":"20260501","why":"is cancelled"},{"name":"from noon","start":"20261224T120000Z","why":"does not take whole days"},
			{"name":"every week","start":"20260101","why":"comes again otherwise than every year"},{"name":"broken","start":"20260101","why":"its RRULE cannot be read"}]}}`, dry.Body)
	require.NotContains(t, b.call("GET", "/api/calendar/office", nil).Body, "Harvest", "a dry run keeps nothing")

	ask["dry_run"] = false
	done := b.call("POST", "/api/calendar/office/import", ask, "Idempotency-Key", "once")
	require.Contains(t, done.Body, `"version":2`)
	require.Equal(t, done.Body, b.call("POST", "/api/calendar/office/import", ask, "Idempotency-Key", "once").Body)
	require.Contains(t, b.call("GET", "/api/calendar/office", nil).Body, `"date":"2026-10-04","name":"Harvest, the first Sunday"`)
	require.Contains(t, b.call("POST", "/api/calendar/office/import", ask).Body, `"version":2,"added":[],"had":5`, "what is there already makes no other version")

	for want, body := range map[string]map[string]any{
		"ics: is required":               {},
		"ics: is no calendar":            {"ics": "nothing of the kind"},
		"from: must be a year from 2020": {"ics": text, "from": 1999},
		"until: must not be before from": {"ics": text, "from": 2027, "until": 2026},
	} {
		a := b.call("POST", "/api/calendar/office/import", body)
		require.Equal(t, http.StatusBadRequest, a.Status, a.Body)
		require.Contains(t, a.Body, want)
	}
	require.Equal(t, http.StatusNotFound, b.call("POST", "/api/calendar/none/import", ask).Status)
}
