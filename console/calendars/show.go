package calendars

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"signalbox/api/houseapi"
	"signalbox/calendar"
	"signalbox/console/page"
	"signalbox/console/versions"
	"signalbox/ticket"
)

// showView is a calendar in one of its versions.
type showView struct {
	History versions.History
	ticket.CalendarRecord
	Week        []weekday
	WorkingDay  string
	Month       *monthView
	Year        int
	Holidays    []calendar.Holiday    // of the month's year
	WorkingDays []calendar.WorkingDay // likewise
}

// weekday is the hours of a day of the week.
type weekday struct {
	Name  string // Monday, as the words have it
	Hours []string
}

func weekOf(w calendar.Week) []weekday {
	return []weekday{{"Monday", w.Monday}, {"Tuesday", w.Tuesday}, {"Wednesday", w.Wednesday}, {"Thursday", w.Thursday}, {"Friday", w.Friday}, {"Saturday", w.Saturday}, {"Sunday", w.Sunday}}
}

// sourceOf writes a calendar as somebody would.
func sourceOf(cal calendar.Calendar) (string, error) {
	cal.Version, cal.Offsets = 0, nil
	text, err := houseapi.WriteYAML(cal)
	return string(text), err
}

// monthAsked gives the first day of the month that the query asks for, this one unless it asks for one.
func (r *Room) monthAsked(v *page.Visit) (time.Time, error) {
	text, err := v.Ask("month", 7)
	if err != nil {
		return time.Time{}, err
	}
	if text == "" {
		now := r.Now().In(v.Zone())
		return time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC), nil
	}
	first, err := time.Parse("2006-01", text)
	if err != nil || first.Year() < calendar.FirstYear || first.Year() > calendar.LastYear {
		return first, ticket.RefuseField(ticket.Invalid, "month", fmt.Sprintf("must be a month such as 2026-12, of the years %d to %d", calendar.FirstYear, calendar.LastYear))
	}
	return first, nil
}

// show shows a version of a calendar, and how it differs from another one.
func (r *Room) show(v *page.Visit, f found) error {
	first, err := r.monthAsked(v)
	if err != nil {
		return err
	}
	history, err := r.kind().History(v, f)
	if err != nil {
		return err
	}
	w := showView{History: history, CalendarRecord: f.Shown, Week: weekOf(f.Shown.Week), Year: first.Year()}
	if hours, faults := calendar.Compile(f.Shown.Calendar); len(faults) == 0 {
		w.WorkingDay = lengthOf(hours.Day())
		month := monthOf(v, hours, first, r.Now())
		if before := first.AddDate(0, -1, 0); before.Year() >= calendar.FirstYear {
			month.Earlier = page.Address(v.Path(), url.Values{"month": {before.Format("2006-01")}})
		}
		if after := first.AddDate(0, 1, 0); after.Year() <= calendar.LastYear {
			month.Later = page.Address(v.Path(), url.Values{"month": {after.Format("2006-01")}})
		}
		w.Month = &month
	}
	year := first.Format("2006-")
	for _, h := range f.Shown.Holidays {
		if strings.HasPrefix(h.Date, year) {
			w.Holidays = append(w.Holidays, h)
		}
	}
	for _, d := range f.Shown.WorkingDays {
		if strings.HasPrefix(d.Date, year) {
			w.WorkingDays = append(w.WorkingDays, d)
		}
	}
	return v.Render(http.StatusOK, "calendars/calendar", f.Shown.Name, w)
}
