package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
)

// office is a calendar with a lunch break, a holiday and a Saturday that is worked for it.
const office = `key: office
name: 办公时间
zone: Europe/Berlin
week:
  monday: [09:00-12:00, 13:00-17:00]
  tuesday: [09:00-12:00, 13:00-17:00]
  sunday: [00:00-04:00]
holidays:
  - {date: "2026-03-03", name: 元宵节}
working_days:
  - {date: "2026-03-07", hours: [09:00-12:30], name: 调休}
`

func TestACalendarIsWrittenPublishedAndShown(t *testing.T) {
	h := newSite(t)
	b := h.admin(t)
	require.Contains(t, b.get("/calendars").Body, "There are no calendars yet.")
	require.Contains(t, b.told(b.publish("/editor/calendar", office)), "Version 1 is published.")
	require.Contains(t, words(b.get("/calendars").root), "办公时间 office Europe/Berlin 1 enabled")

	p := b.get("/calendars/office?month=2026-03")
	sound(t, "month", p)
	require.Contains(t, p.section("month"), "March 2026")
	day := func(p answer, date string) string {
		found := p.all(func(n *html.Node) bool { return n.Data == "td" && dated(n, date) })
		require.Len(t, found, 1, date)
		return attr(found[0], "class") + ": " + words(found[0])
	}
	require.Equal(t, "worked: 2 7h", day(p, "2026-03-02"))
	require.Equal(t, "holiday: 3 holiday 元宵节", day(p, "2026-03-03"))
	require.Equal(t, "free: 4", day(p, "2026-03-04"))
	require.Equal(t, "extra: 7 3h30m worked by exception 调休", day(p, "2026-03-07"))
	require.Equal(t, "worked: 29 3h", day(p, "2026-03-29"), "the clocks skip an hour")
	require.Equal(t, "worked: 22 4h", day(p, "2026-03-22"))
	require.Contains(t, p.section("days"), "2026-03-07 worked by exception: 09:00-12:30")
	require.Contains(t, p.section("week"), "Wednesday free")
	require.Contains(t, p.Body, `href="/calendars/office?month=2026-02"`)
	require.Equal(t, http.StatusBadRequest, b.get("/calendars/office?month=1999-01").Status)
	require.NotContains(t, b.get("/calendars/office?month=2020-01").Body, "month=2019-12")
	require.Contains(t, day(b.get("/calendars/office"), h.now.Format("2006-01-02")), "today")

	// Versions, and of two who write at once the second is told.
	early := b.get("/calendars/office/edit")
	b.told(b.publish("/calendars/office/edit", strings.Replace(early.source(), "12:30", "12:45", 1)))
	require.Contains(t, b.get("/calendars/office/v/2?from=1").section("change"), "12:45")
	require.Contains(t, b.get("/calendars/office/v/1").section("days"), "12:30")
	form := early.whole("/calendars/office/edit")
	form.Set("do", "publish")
	form.Set("source", strings.Replace(early.source(), "办公", "上班", 1))
	late := b.post("/calendars/office/edit", form)
	require.Equal(t, http.StatusConflict, late.Status)
	require.Contains(t, late.source(), "上班")
	require.Contains(t, late.Body, `href="/calendars/office?from=1"`)
	require.Equal(t, http.StatusConflict, b.publish("/editor/calendar", strings.Replace(office, "元宵", "元旦", 1)).Status)
	require.Contains(t, b.publish("/calendars/office/edit", strings.Replace(office, "key: office", "key: other", 1)).Body, "The key is office")

	bad := b.publish("/calendars/office/edit", strings.Replace(office, "13:00-17:00", "11:00-17:00", 1))
	require.Equal(t, http.StatusBadRequest, bad.Status)
	require.Contains(t, words(bad.one("found")), "Line 5")
	form.Set("source", office)
	require.Contains(t, words(b.post("/editor/calendar/draft", form).one("found")), "Nothing is wrong")

	const enable = "/calendars/office/enable"
	require.Contains(t, b.told(b.fill("/calendars/office", enable)), "may not name the calendar any more")
	require.Contains(t, b.get("/calendars/office").section("calendar"), "disabled")
	require.Contains(t, b.told(b.fill("/calendars/office", enable)), "may name the calendar again")

	// A service that counts by it leads there.
	b.told(b.publish("/editor/service", strings.Replace(leaving(t), "service_type: request", "service_type: request\ncalendar: office", 1)))
	require.Contains(t, b.get("/services/leave_request").Body, `href="/calendars/office"`)
}

// dated reports whether an element holds a date.
func dated(n *html.Node, date string) bool {
	for d := range n.Descendants() {
		if d.Data == "data" && attr(d, "value") == date {
			return true
		}
	}
	return false
}

func TestHolidaysAreImported(t *testing.T) {
	h := newSite(t)
	b := h.admin(t)
	b.told(b.publish("/editor/calendar", office))
	event := func(date, name string) string {
		return "BEGIN:VEVENT\r\nUID:" + date + "\r\nDTSTART" + date + "\r\nSUMMARY:" + name + "\r\nEND:VEVENT\r\n"
	}
	ics := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n" + event(";VALUE=DATE:20270101", "New <Year>") + event(";VALUE=DATE:20260303", "again") + event(":20270102T100000Z", "meeting") + "END:VCALENDAR\r\n"
	const path = "/calendars/office/import"
	p := b.fill(path, path, "ics", ics, "do", "try")
	require.Equal(t, http.StatusOK, p.Status)
	require.Contains(t, p.section("would"), "1 holiday would be added 1 date is in the calendar already. 2027-01-01 New <Year>")
	require.Contains(t, p.section("would"), "1 event is passed over meeting")
	require.Contains(t, words(b.get("/calendars/office").root), "Version 1", "nothing is changed by looking")
	sound(t, path, p)

	form := p.whole(path)
	form.Set("do", "publish")
	require.Contains(t, b.told(b.post(path, form)), "1 holiday is added; it is version 2 now.")
	require.Contains(t, b.told(b.post(path, form)), "1 holiday is added; it is version 2 now.", "sent twice it is one thing")
	require.Contains(t, b.get("/calendars/office?month=2027-01").section("days"), "New <Year>")

	for field, value := range map[string]string{"ics": "nothing", "from": "soon", "until": "1999"} {
		bad := b.fill(path, path, "ics", ics, field, value, "do", "publish")
		require.Equal(t, http.StatusBadRequest, bad.Status, field)
		require.NotEmpty(t, words(bad.one(field+"-wrong")), field)
	}
}

func TestCalendarsAreForTheirTenantAndChangedByAdmins(t *testing.T) {
	h := newSite(t)
	b := h.admin(t)
	b.told(b.publish("/editor/calendar", office))
	form := b.get("/calendars/office/edit").whole("/calendars/office/edit")
	reader, stranger := h.visitor(t, "shop"), h.visitor(t, "other")
	require.Equal(t, http.StatusOK, reader.get("/calendars/office").Status)
	require.NotContains(t, reader.get("/calendars/office").Body, "/edit")
	form.Set("csrf", reader.get("/settings").whole("/settings").Get("csrf"))
	for _, path := range []string{"/editor/calendar", "/calendars/office/edit", "/calendars/office/import"} {
		require.Equal(t, http.StatusForbidden, reader.get(path).Status, path)
		require.Equal(t, http.StatusForbidden, reader.post(path, form).Status, path)
	}
	require.Equal(t, http.StatusForbidden, reader.post("/calendars/office/enable", form).Status)
	for _, path := range []string{"/calendars/office", "/calendars/office/v/1"} {
		require.Equal(t, http.StatusNotFound, stranger.get(path).Status, path)
	}
	require.NotContains(t, stranger.get("/calendars").Body, "office")
	for _, path := range []string{"/calendars/none", "/calendars/office/v/0", "/calendars/office/v/9", "/calendars/office/v/x", "/calendars/office?from=9"} {
		require.Equal(t, http.StatusNotFound, b.get(path).Status, path)
	}
}

func TestACalendarOutToGetUs(t *testing.T) {
	h := newSite(t)
	b := h.admin(t)
	const script = `<script>alert(1)</script>`
	evil := fmt.Sprintf("key: evil\nname: %q\ndescription: %q\nzone: Asia/Shanghai\nweek: {monday: [09:00-12:00]}\nholidays: [{date: \"2026-11-24\", name: %q}]\nworking_days: [{date: \"2026-11-28\", hours: [09:00-10:00], name: %q}]\n", script, script, script, script)
	b.told(b.publish("/editor/calendar", evil))
	for _, path := range []string{"/calendars", "/calendars/evil?month=2026-11", "/calendars/evil/edit", "/calendars/evil/import"} {
		p := b.get(path)
		require.Equal(t, http.StatusOK, p.Status, path)
		require.NotContains(t, p.Body, "<script>alert", path)
		require.Less(t, len(p.Body), 100<<10)
		sound(t, path, p)
	}
}
