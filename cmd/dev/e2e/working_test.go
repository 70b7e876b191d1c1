package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
)

// promisedView is what these tests look at of an issue's promises.
type promisedView struct {
	DueAt        *time.Time `json:"due_at"`
	SLAState     string     `json:"sla_state"`
	CurrentNodes []struct {
		ID  string     `json:"id"`
		Due *time.Time `json:"due"`
	} `json:"current_nodes"`
	SLA []struct {
		Name, State string
		DueAt       *time.Time `json:"due_at"`
		BreachedAt  *time.Time `json:"breached_at"`
	} `json:"sla"`
}

func (c *caller) promised(t testing.TB, number string) (v promisedView) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(c.must(t, "GET", "/api/issue/"+number, nil).body), &v))
	return v
}

// atNoon gives a time zone in which it is about noon, and how many hours it is ahead of UTC.
func atNoon(now time.Time) (zone string, ahead int) {
	switch ahead = 12 - now.UTC().Hour(); { // Etc/GMT-3 is three hours ahead of UTC
	case ahead > 0:
		return fmt.Sprintf("Etc/GMT-%d", ahead), ahead
	case ahead < 0:
		return fmt.Sprintf("Etc/GMT+%d", -ahead), ahead
	}
	return "Etc/UTC", 0
}

// TestWorkingTimeOverAWeekendAndAHoliday has a working day that begins within a minute and is a minute long, and then a weekend and a holiday. What comes within that day comes in real time; what
// is left is due on the day after all of them. It is about noon where the calendar is, so that no day ends meanwhile.
func TestWorkingTimeOverAWeekendAndAHoliday(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	admin := d.caller()
	now := time.Now().UTC()
	zone, ahead := atNoon(now)
	local := now.Add(time.Duration(ahead) * time.Hour)
	date := func(days int) string { return local.AddDate(0, 0, days).Format(time.DateOnly) }
	opens := local.Truncate(time.Minute).Add(time.Minute)
	hours := []string{opens.Format("15:04") + "-" + opens.Add(time.Minute).Format("15:04")}
	week := map[string][]string{}
	for _, days := range []int{3, 4, 5, 6} { // from today; of the two days after it and the seventh, which is today's weekday, none is worked
		week[strings.ToLower(local.AddDate(0, 0, days).Weekday().String())] = []string{"09:00-17:00"}
	}
	published := result[struct{ Version int }](t, admin.must(t, "POST", "/api/calendar", map[string]any{"key": "office", "name": "Office", "zone": zone, "week": week,
		"working_days": []any{map[string]any{"date": date(0), "hours": hours, "name": "a minute of work"}}}))
	require.Equal(t, 1, published.Version)
	// The holiday is imported, which makes the second version.
	ics := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:e2e\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;VALUE=DATE:" + strings.ReplaceAll(date(3), "-", "") +
		"\r\nSUMMARY:A holiday\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
	require.Equal(t, 2, result[struct{ Version int }](t, admin.must(t, "POST", "/api/calendar/office/import", map[string]any{"ics": ics, "from": local.Year(), "until": local.Year() + 1})).Version)
	admin.must(t, "POST", "/api/service", map[string]any{"key": "working", "name": "Working", "calendar": "office",
		"sla": []any{map[string]any{"name": "respond", "until": "first", "target": "1 working second"}, map[string]any{"name": "resolve", "until": "end", "target": "31 working minutes"}},
		"nodes": []any{
			map[string]any{"id": "first", "name": "First", "type": "task", "processors": map[string]any{"persons": []string{"ann"}}, "next": "over",
				"deadline": []any{map[string]any{"after": "2 working seconds", "do": "remind"}, map[string]any{"after": "1 working minute", "do": "remind"}, map[string]any{"after": "61 working minutes", "do": "remind"}}},
			map[string]any{"id": "over", "name": "Over", "type": "end"}}})
	number := result[string](t, admin.must(t, "POST", "/api/issue", map[string]any{"origin": "e2e", "title": "over a weekend", "service": "working"}))

	start := opens.Add(-time.Duration(ahead) * time.Hour) // in UTC
	v := admin.promised(t, number)
	require.Equal(t, start.Add(2*time.Second), v.CurrentNodes[0].Due.UTC(), "nothing counts before work begins")
	require.Equal(t, start.Add(time.Second), v.DueAt.UTC())
	require.Empty(t, v.SLAState)

	types := func() (list []string) {
		for _, e := range admin.timeline(t, number) {
			list = append(list, e.Type)
		}
		return list
	}
	harness.Until(t, "the promise is broken and both reminders have come", 4*time.Minute, func() error {
		if got := types(); !slices.Equal(got, []string{"opened", "sla_breached", "elapsed", "elapsed"}) {
			return fmt.Errorf("it is %v", got)
		}
		return nil
	})
	for i, e := range admin.timeline(t, number)[1:] {
		require.False(t, e.At.Before(start.Add([]time.Duration{time.Second, 2 * time.Second, time.Minute}[i])), "%s came before its time, at %s", e.Type, e.At)
	}
	v = admin.promised(t, number)
	require.Equal(t, "breached", v.SLAState)
	require.Equal(t, start.Add(time.Second), v.SLA[0].BreachedAt.UTC())
	monday := time.Date(local.Year(), local.Month(), local.Day()+4, 9, 0, 0, 0, time.UTC).Add(-time.Duration(ahead) * time.Hour)
	require.Equal(t, monday.Add(time.Hour), v.CurrentNodes[0].Due.UTC(), "after two free days and the holiday")
	require.Equal(t, monday.Add(30*time.Minute), v.SLA[1].DueAt.UTC())
	require.Equal(t, start.Add(time.Second), v.DueAt.UTC(), "the first that is not met yet")

	// Suspended outside of working time nothing is used, and nothing is gained.
	admin.must(t, "POST", "/api/issue/"+number+"/handle", map[string]any{"action": "suspend", "operator": "ann"})
	require.Equal(t, "paused", admin.promised(t, number).SLA[1].State)
	admin.must(t, "POST", "/api/issue/"+number+"/handle", map[string]any{"action": "unsuspend", "operator": "ann"})
	v = admin.promised(t, number)
	require.Equal(t, monday.Add(time.Hour), v.CurrentNodes[0].Due.UTC())
	require.Equal(t, monday.Add(30*time.Minute), v.SLA[1].DueAt.UTC())

	listed := func(query string) []string {
		var ids []string
		for _, i := range items[struct{ ID string }](t, admin.must(t, "GET", "/api/issue?"+query, nil)) {
			ids = append(ids, i.ID)
		}
		return ids
	}
	require.Equal(t, []string{number}, listed("sla=breached"))
	require.Empty(t, listed("sla=warned"))
	exposes(t, d.api, `signalbox_slas_total{what="breached"} 1`, `signalbox_slas_total{what="warned"} 0`)
	require.Equal(t, []string{number}, listed("due_before="+time.Now().UTC().Format(time.RFC3339)))

	// Another calendar is for tickets that are opened from then on, and for those that are moved.
	week[strings.ToLower(local.AddDate(0, 0, 4).Weekday().String())] = nil
	admin.must(t, "POST", "/api/calendar", map[string]any{"key": "office", "name": "Office", "zone": zone, "week": week})
	require.Equal(t, monday.Add(time.Hour), admin.promised(t, number).CurrentNodes[0].Due.UTC())
	admin.must(t, "POST", "/api/issue/"+number+"/migrate", map[string]any{"version": 1, "operator": "boss"})
	next := result[string](t, admin.must(t, "POST", "/api/issue", map[string]any{"origin": "e2e", "title": "after it", "service": "working"}))
	require.NotEqual(t, start.Add(2*time.Second), admin.promised(t, next).CurrentNodes[0].Due.UTC())
	moved := admin.promised(t, number).CurrentNodes[0].Due.UTC()
	require.Equal(t, monday.AddDate(0, 0, -1).Add(time.Hour), moved, "the day of the holiday is worked in that version, and the hour that was left is left")
	admin.must(t, "POST", "/api/issue/"+number+"/handle", map[string]any{"action": "submit", "operator": "ann"})
	require.Equal(t, "over", admin.promised(t, number).SLA[0].State)
}
