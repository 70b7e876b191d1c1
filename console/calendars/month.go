package calendars

import (
	"strings"
	"time"

	"signalbox/calendar"
	"signalbox/console/page"
)

// monthView is a month as it is worked, week by week from Monday on.
type monthView struct {
	Title          string
	Days           []string // of the week, as the words have them
	Weeks          [][]dayView
	Total          string // how much is worked
	Earlier, Later string // addresses; empty: there is no such month
}

// dayView is a day of it; a day of another month is empty.
type dayView struct {
	Date, Day string
	Kind      string // free, worked, holiday or extra: a day that is worked by exception
	Hours     string // how much is worked
	Spans     string // when
	Name      string // of a holiday or of a day that is worked by exception
	Today     bool
}

// monthOf gives a month of a calendar that was compiled; of whom it is worked by the clock on the wall of its zone.
func monthOf(v *page.Visit, hours *calendar.Hours, first, now time.Time) (m monthView) {
	cal := hours.Calendar()
	zone, err := time.LoadLocation(cal.Zone)
	if err != nil {
		zone = time.UTC // what was a zone once: the names of some are given up
	}
	named := map[string]dayView{}
	for _, h := range cal.Holidays {
		named[h.Date] = dayView{Kind: "holiday", Name: h.Name}
	}
	for _, w := range cal.WorkingDays {
		named[w.Date] = dayView{Kind: "extra", Name: w.Name, Spans: strings.Join(w.Hours, ", ")}
	}
	week := [7][]string{cal.Week.Sunday, cal.Week.Monday, cal.Week.Tuesday, cal.Week.Wednesday, cal.Week.Thursday, cal.Week.Friday, cal.Week.Saturday}
	m.Days = []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}
	m.Title = v.T("calendars.month", "Year", first.Year(), "Month", v.Word("month", first.Month().String()))
	today := now.In(zone).Format(time.DateOnly)
	var total time.Duration
	row := make([]dayView, (int(first.Weekday())+6)%7) // of the month before
	for day := first; day.Month() == first.Month(); day = day.AddDate(0, 0, 1) {
		d := named[day.Format(time.DateOnly)]
		d.Date, d.Day = day.Format(time.DateOnly), day.Format("2")
		d.Today = d.Date == today
		if d.Kind == "" {
			d.Kind, d.Spans = "worked", strings.Join(week[day.Weekday()], ", ")
		}
		begin := time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, zone)
		end := time.Date(day.Year(), day.Month(), day.Day()+1, 0, 0, 0, 0, zone)
		worked := hours.Between(begin, end)
		total += worked
		if d.Hours = lengthOf(worked); worked == 0 && d.Kind == "worked" {
			d.Kind = "free"
		}
		if row = append(row, d); len(row) == 7 {
			m.Weeks, row = append(m.Weeks, row), nil
		}
	}
	if len(row) > 0 {
		m.Weeks = append(m.Weeks, append(row, make([]dayView, 7-len(row))...))
	}
	m.Total = lengthOf(total)
	return m
}

// lengthOf gives a length of time as calendars write it: 7h30m. None is empty.
func lengthOf(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return strings.NewReplacer("h0m0s", "h", "m0s", "m").Replace(d.String())
}
