package calendars

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"signalbox/api/houseapi"
	"signalbox/calendar"
	"signalbox/console/page"
	"signalbox/ticket"
)

// showView is a calendar in one of its versions.
type showView struct {
	ticket.CalendarRecord
	Path, Here  string
	Latest      int
	IsLatest    bool
	Week        []weekday
	WorkingDay  string
	Month       *monthView
	Year        int
	Holidays    []calendar.Holiday    // of the month's year
	WorkingDays []calendar.WorkingDay // likewise
	Versions    []versionView
	First, Next string // further versions
	Source      string
	From        int
	Change      []page.Hunk
}

// weekday is the hours of a day of the week.
type weekday struct {
	Name  string // Monday, as the words have it
	Hours []string
}

// versionView is a version in the list of them.
type versionView struct {
	ticket.CalendarRecord
	Path    string
	Current bool
	Before  int // the version before it; 0: none
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
	w := showView{CalendarRecord: f.CalendarRecord, Path: pathOf(f.Key), Here: v.Path(), Latest: f.Latest, IsLatest: f.Latest == f.Version, Week: weekOf(f.Week), Year: first.Year()}
	if hours, faults := calendar.Compile(f.Calendar); len(faults) == 0 {
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
	for _, h := range f.Holidays {
		if strings.HasPrefix(h.Date, year) {
			w.Holidays = append(w.Holidays, h)
		}
	}
	for _, d := range f.WorkingDays {
		if strings.HasPrefix(d.Date, year) {
			w.WorkingDays = append(w.WorkingDays, d)
		}
	}
	if w.Source, err = sourceOf(f.Calendar); err != nil {
		return err
	}
	if err := r.versions(v, f, &w); err != nil {
		return err
	}
	from, err := v.AskNumber("from", 0)
	if err != nil {
		return err
	}
	if from > 0 {
		other, err := r.Records.CalendarRecord(v.Until, v.Who.App.Tenant, f.Key, int(min(from, 1<<31-1)))
		if err != nil {
			return err
		}
		before, err := sourceOf(other.Calendar)
		if err != nil {
			return err
		}
		w.From, w.Change = other.Version, page.Difference(before, w.Source)
	}
	return v.Render(http.StatusOK, "calendars/calendar", f.Name, w)
}

// versions fills in the list of versions.
func (r *Room) versions(v *page.Visit, f found, w *showView) error {
	cursor, err := v.Ask("cursor", maxCursor)
	if err != nil {
		return err
	}
	list, next, err := r.Records.CalendarVersions(v.Until, v.Who.App.Tenant, f.Key, cursor, versionPage)
	if err != nil {
		return err
	}
	for _, record := range list {
		w.Versions = append(w.Versions, versionView{record, versionPath(f.Key, record.Version), record.Version == f.Version, record.Version - 1})
	}
	if cursor != "" {
		w.First = v.Path()
	}
	if next != "" {
		w.Next = page.Address(v.Path(), url.Values{"cursor": {next}})
	}
	return nil
}

// enable says whether new versions of services may name a calendar.
func (r *Room) enable(v *page.Visit, f found) error {
	on := v.Form.On("enabled")
	_, err := page.Transact(v, r.Desk, false, func(ctx context.Context) (bool, error) {
		return on, r.Records.EnableCalendar(ctx, v.Who.App.Tenant, f.Key, on)
	})
	switch {
	case err != nil:
		return v.Failed(pathOf(f.Key), err)
	case on:
		return v.Done(pathOf(f.Key), v.T("calendars.done.enabled"))
	}
	return v.Done(pathOf(f.Key), v.T("calendars.done.disabled"))
}
