package calendars

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"signalbox/api/houseapi"
	"signalbox/calendar"
	"signalbox/console/page"
	"signalbox/console/versions"
	"signalbox/flow"
	"signalbox/ticket"
)

// skeleton is what a new calendar begins with.
const skeleton = `key: office
name: Office hours
zone: Asia/Shanghai
week:
  monday: [09:00-12:00, 13:30-18:00]
  tuesday: [09:00-12:00, 13:30-18:00]
  wednesday: [09:00-12:00, 13:30-18:00]
  thursday: [09:00-12:00, 13:30-18:00]
  friday: [09:00-12:00, 13:30-18:00]
holidays:
  - {date: "2027-01-01", name: New Year}
working_days: []
`

// kind is calendars as documents with versions.
func (r *Room) kind() versions.Kind[ticket.CalendarRecord] {
	return versions.Kind[ticket.CalendarRecord]{Desk: r.Desk, Path: "/calendars", New: "/editor/calendar", Skeleton: skeleton, Max: ticket.MaxCalendar,
		List: r.Records.CalendarVersions, Enable: r.Records.EnableCalendar, Read: r.read,
		Words: func(v *page.Visit) versions.Words {
			return versions.Words{List: v.T("calendars.title"), New: v.T("calendars.new"), Definition: v.T("calendars.definition"), Enabled: v.T("calendars.done.enabled"),
				Disabled: v.T("calendars.done.disabled")}
		},
		Latest: func(ctx context.Context, tenant, key string) (ticket.CalendarRecord, error) {
			return r.Records.CalendarRecord(ctx, tenant, key, 0)
		},
		Version: func(ctx context.Context, tenant string, latest ticket.CalendarRecord, version int) (ticket.CalendarRecord, error) {
			return r.Records.CalendarRecord(ctx, tenant, latest.Key, version)
		},
		Facts: func(c ticket.CalendarRecord) versions.Facts {
			return versions.Facts{Key: c.Key, Name: c.Name, Version: c.Version, PublishedAt: c.PublishedAt, PublishedBy: c.PublishedBy}
		},
		Source: func(c ticket.CalendarRecord) (string, error) { return sourceOf(c.Calendar) },
		Text: func(ctx context.Context, tenant string, c ticket.CalendarRecord) (string, error) {
			return r.Records.CalendarText(ctx, tenant, c.Key, c.Version)
		},
		Publish: func(ctx context.Context, tenant, by string, c ticket.CalendarRecord, text string) (string, int, error) {
			out, err := r.Records.PublishWrittenCalendar(ctx, tenant, by, c.Calendar, text)
			return out.Key, out.Version, err
		}}
}

// read reads a text of the editor, and shows this month as it would be worked.
func (r *Room) read(v *page.Visit, source string) (c ticket.CalendarRecord, faults flow.Faults, shows versions.Preview, err error) {
	c.Calendar, faults = flow.ParseCalendar(houseapi.Plainer([]byte(source)), time.LoadLocation)
	if hours, wrong := calendar.Compile(c.Calendar); len(faults) == 0 && len(wrong) == 0 {
		now := r.Now().In(v.Zone())
		shows.Month = monthOf(v, hours, time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC), r.Now())
	}
	return c, faults, shows, nil
}

// published is what an import came to.
type published struct {
	Key     string `json:"key"`
	Version int    `json:"version"`
	Added   int    `json:"added"`
}

// importView is an import of holidays: what was given, and what it would do.
type importView struct {
	Key, Path, Back  string
	ICS, From, Until string
	Fault            page.Fault
	Would            *houseapi.Imported // nil: it was not tried yet
}

func (r *Room) importing(v *page.Visit, f found) error {
	first, last, err := houseapi.Years(nil, nil, r.Now())
	if err != nil {
		return err
	}
	return r.importer(v, http.StatusOK, f, importView{From: strconv.Itoa(first), Until: strconv.Itoa(last)})
}

func (r *Room) importer(v *page.Visit, status int, f found, w importView) error {
	w.Key, w.Path, w.Back = f.Shown.Key, pathOf(f.Shown.Key)+"/import", pathOf(f.Shown.Key)
	return v.Render(status, "calendars/import", v.T("calendars.importing", "Key", f.Shown.Key), w)
}

// imported tells what an import would do or, where that is asked for, publishes the calendar with the holidays.
func (r *Room) imported(v *page.Visit, f found) error {
	w := importView{ICS: v.Form.Get("ics"), From: v.Form.Text("from"), Until: v.Form.Text("until")}
	tries := v.Form.Get("do") != "publish"
	if tries {
		v.Tries()
	}
	holidays, err := r.holidays(w)
	if err == nil && tries {
		_, would, err := holidays.Into(f.Shown.Calendar)
		if err == nil {
			w.Would = &would
			return r.importer(v, http.StatusOK, f, w)
		}
		return r.unfit(v, f, w, err)
	}
	var done published
	if err == nil {
		done, err = page.Transact(v, r.Desk, false, func(ctx context.Context) (published, error) {
			record, err := r.Records.CalendarRecord(ctx, v.Who.App.Tenant, f.Shown.Key, 0)
			if err != nil {
				return published{}, err
			}
			cal, added, err := holidays.Into(record.Calendar)
			if err == nil {
				cal, err = r.Records.PublishCalendar(ctx, v.Who.App.Tenant, v.Who.By(), cal)
			}
			return published{cal.Key, cal.Version, len(added.Added)}, err
		})
	}
	if err != nil {
		return r.unfit(v, f, w, err)
	}
	return v.Done(pathOf(f.Shown.Key), v.T("calendars.done.imported", "Count", done.Added, "Version", done.Version))
}

// unfit shows the form of an import with what is wrong with it.
func (r *Room) unfit(v *page.Visit, f found, w importView, err error) error {
	wrong, ok := v.Fault(err)
	if !ok {
		return err
	}
	w.Fault = wrong
	return r.importer(v, http.StatusBadRequest, f, w)
}

// holidays reads what an import was given.
func (r *Room) holidays(w importView) (houseapi.Holidays, error) {
	years := [2]*int{}
	for i, given := range []struct{ name, text string }{{"from", w.From}, {"until", w.Until}} {
		if given.text == "" {
			continue
		}
		year, err := strconv.Atoi(given.text)
		if err != nil {
			return houseapi.Holidays{}, ticket.RefuseField(ticket.Invalid, given.name, "must be a year")
		}
		years[i] = &year
	}
	first, last, err := houseapi.Years(years[0], years[1], r.Now())
	if err != nil {
		return houseapi.Holidays{}, err
	}
	return houseapi.ReadHolidays(w.ICS, first, last)
}
