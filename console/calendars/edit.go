package calendars

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"signalbox/api/houseapi"
	"signalbox/calendar"
	"signalbox/console/page"
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

// editView is the editor: what was written, and what was found in it.
type editView struct {
	Key, Path, Back string
	Based           int // the version that the text began as
	Source          string
	Problem, Newer  string
	Draft           draftView
}

// draftView is what is found in a draft.
type draftView struct {
	Faults []page.FaultLine
	Month  *monthView // this month; nil: there are faults
}

func (r *Room) begin(v *page.Visit) error {
	return r.editor(v, http.StatusOK, editView{Source: skeleton})
}

// edit shows the editor of a calendar, which begins as its latest version is, or as another one that is asked for.
func (r *Room) edit(v *page.Visit, f found) error {
	version, err := v.AskNumber("version", int64(f.Version))
	if err != nil {
		return err
	}
	record, err := r.Records.CalendarRecord(v.Until, v.Who.App.Tenant, f.Key, int(min(version, 1<<31-1)))
	if err != nil {
		return err
	}
	source, err := sourceOf(record.Calendar)
	if err != nil {
		return err
	}
	return r.editor(v, http.StatusOK, editView{Key: f.Key, Based: f.Latest, Source: source})
}

// editor shows the editor with what is found in its text.
func (r *Room) editor(v *page.Visit, status int, e editView) error {
	title := v.T("calendars.new")
	e.Path, e.Back = "/calendars/new", "/calendars"
	if e.Key != "" {
		e.Path, e.Back, title = pathOf(e.Key)+"/edit", pathOf(e.Key), v.T("calendars.editing", "Key", e.Key)
	}
	_, e.Draft = r.read(v, e.Key, e.Source)
	return v.Render(status, "calendars/edit", title, e)
}

// draft tells what is wrong with a text: the part of the editor that follows the text.
func (r *Room) draft(v *page.Visit) error {
	_, found := r.read(v, v.Form.Get("of"), v.Form.Source("source"))
	return v.Render(http.StatusOK, "calendars/draft", v.T("calendars.found"), found)
}

// read reads a text of the editor of a calendar, or of a new one.
func (r *Room) read(v *page.Visit, key, source string) (calendar.Calendar, draftView) {
	if len(source) > ticket.MaxCalendar {
		return calendar.Calendar{}, draftView{Faults: []page.FaultLine{{Fault: flow.Fault{Message: ticket.Over(ticket.MaxCalendar, "bytes", len(source))}}}}
	}
	cal, faults := flow.ParseCalendar(houseapi.Plainer([]byte(source)), time.LoadLocation)
	if len(faults) == 0 {
		faults = page.Kept(source, key, cal.Key, v.T("calendars.other_key", "Key", key))
	}
	out := draftView{Faults: page.FaultLines(source, faults)}
	if hours, wrong := calendar.Compile(cal); len(faults) == 0 && len(wrong) == 0 {
		now := r.Now().In(v.Zone())
		month := monthOf(v, hours, time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC), r.Now())
		out.Month = &month
	}
	return cal, out
}

// published is what publishing came to.
type published struct {
	Key     string `json:"key"`
	Version int    `json:"version"`
	Added   int    `json:"added,omitempty"`
}

// errMeanwhile refuses to publish what was made of a version that is not the latest any more.
var errMeanwhile = ticket.Refuse(ticket.Conflict, "another version of the calendar was published meanwhile")

// save checks what the editor sends and, where that is asked for, publishes it.
func (r *Room) save(v *page.Visit) error {
	key, err := v.Param("key")
	if err != nil {
		return err
	}
	e := editView{Key: key, Source: v.Form.Source("source")}
	e.Based, _ = strconv.Atoi(v.Form.Get("based"))
	cal, found := r.read(v, key, e.Source)
	switch {
	case v.Form.Get("do") != "publish":
		return r.editor(v, http.StatusOK, e)
	case len(found.Faults) > 0:
		e.Problem = v.T("calendars.faulty")
		return r.editor(v, http.StatusBadRequest, e)
	}
	done, err := page.Transact(v, r.Desk, false, func(ctx context.Context) (published, error) {
		out, err := r.Records.PublishCalendar(ctx, v.Who.App.Tenant, v.Who.By(), cal)
		if err == nil && out.Version > e.Based+1 {
			err = errMeanwhile // nothing of the transaction is kept
		}
		return published{Key: out.Key, Version: out.Version}, err
	})
	switch refusal := ticket.AsError(err); {
	case err == nil && done.Version == e.Based:
		return v.Done(pathOf(done.Key), v.T("calendars.done.same", "Version", done.Version))
	case err == nil:
		return v.Done(pathOf(done.Key), v.T("calendars.done.published", "Version", done.Version))
	case refusal == nil || refusal.Code != ticket.Conflict && refusal.Code != ticket.Invalid:
		return err
	case refusal == errMeanwhile && e.Key == "":
		e.Problem = v.T("calendars.taken", "Key", cal.Key)
	case refusal == errMeanwhile:
		return r.meanwhile(v, e)
	default:
		e.Problem = v.Refusal(refusal)
	}
	return r.editor(v, http.StatusConflict, e)
}

// meanwhile shows the editor to somebody who lost a race: what was typed is there, with a link to what the other one changed, and what is published next follows the
// version that there is now.
func (r *Room) meanwhile(v *page.Visit, e editView) error {
	latest, err := r.Records.CalendarRecord(v.Until, v.Who.App.Tenant, e.Key, 0)
	if err != nil {
		return err
	}
	e.Problem, e.Newer = v.T("calendars.meanwhile"), page.Address(pathOf(e.Key), url.Values{"from": {strconv.Itoa(e.Based)}})
	e.Based = latest.Version
	return r.editor(v, http.StatusConflict, e)
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
	w.Key, w.Path, w.Back = f.Key, pathOf(f.Key)+"/import", pathOf(f.Key)
	return v.Render(status, "calendars/import", v.T("calendars.importing", "Key", f.Key), w)
}

// imported tells what an import would do or, where that is asked for, publishes the calendar with the holidays.
func (r *Room) imported(v *page.Visit, f found) error {
	w := importView{ICS: v.Form.Get("ics"), From: v.Form.Text("from"), Until: v.Form.Text("until")}
	holidays, err := r.holidays(w)
	if err == nil && v.Form.Get("do") != "publish" {
		_, would, err := holidays.Into(f.Calendar)
		if err == nil {
			w.Would = &would
			return r.importer(v, http.StatusOK, f, w)
		}
		return r.unfit(v, f, w, err)
	}
	var done published
	if err == nil {
		done, err = page.Transact(v, r.Desk, false, func(ctx context.Context) (published, error) {
			record, err := r.Records.CalendarRecord(ctx, v.Who.App.Tenant, f.Key, 0)
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
	return v.Done(pathOf(f.Key), v.T("calendars.done.imported", "Count", done.Added, "Version", done.Version))
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
