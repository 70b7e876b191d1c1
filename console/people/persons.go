package people

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"signalbox/api/houseapi"
	"signalbox/console/page"
	"signalbox/people"
	"signalbox/ticket"
)

// listView is a page of persons.
type listView struct {
	Search, Active string
	Rows           []personView
	First, Next    string
	Chosen         bool
	CSV            string // the address of the list as a file
	Me             string // the visitor's own page; empty: they have none
}

// personView is a person in a list.
type personView struct {
	people.PersonRecord
	Path, ManagerPath string
}

func viewOf(p people.PersonRecord) personView {
	w := personView{PersonRecord: p, Path: pathOf(p.ID)}
	if p.Manager != "" {
		w.ManagerPath = pathOf(p.Manager)
	}
	return w
}

// list shows the persons to those who keep the directory, and leads others to their own page.
func (r *Room) list(v *page.Visit) error {
	var l listView
	if v.Who.Own {
		l.Me = pathOf(v.Who.Person)
	}
	switch {
	case keeps(v):
	case l.Me != "":
		return v.To(l.Me)
	default:
		return v.Render(http.StatusOK, "people/nobody", v.T("people.title"), nil)
	}
	f, query, err := chosen(v)
	if err != nil {
		return err
	}
	cursor, err := v.Ask("cursor", maxCursor)
	if err != nil {
		return err
	}
	l.Search, l.Active, l.CSV = f.Search, query.Get("active"), page.Address("/directory/persons.csv", query)
	found, next, err := r.Directory.Persons(v.Until, v.Who.App.Tenant, f, cursor, listPage)
	if err != nil {
		return err
	}
	for _, p := range found {
		l.Rows = append(l.Rows, viewOf(p))
	}
	l.Chosen = len(query) > 0
	l.First, l.Next = pages("/people", query, cursor, next)
	return v.Render(http.StatusOK, "people/list", v.T("people.title"), l)
}

// chosen reads which persons are asked for, and the query that asks for them again.
func chosen(v *page.Visit) (f people.PersonFilter, query url.Values, err error) {
	query = url.Values{}
	if f.Search, err = v.Ask("q", people.MaxName); err != nil {
		return f, query, err
	}
	if f.Search != "" {
		query.Set("q", f.Search)
	}
	active, err := v.Ask("active", 5)
	if active == "true" || active == "false" {
		yes := active == "true"
		f.Active = &yes
		query.Set("active", active)
	}
	return f, query, err
}

// showView is a person's page.
type showView struct {
	personView
	Keeps, Mine bool
	Password    bool // the visitor may give the person one
	Groups      []groupView
	Absences    []absenceView
	Letters     lettersView
	Away        awayView
}

// lettersView is how somebody wants to be told, as a form.
type lettersView struct {
	Language, Zone, When, Minutes string
	Ways                          []wayView
	Fault                         page.Fault
}

// wayView is a way of being told.
type wayView struct {
	Name string
	On   bool
}

func lettersOf(p people.Person) lettersView {
	l := lettersView{Language: p.Language, Zone: p.TimeZone, When: cmp.Or(p.Letters.When, people.Each)}
	if p.Letters.Minutes > 0 {
		l.Minutes = strconv.Itoa(p.Letters.Minutes)
	}
	for _, way := range append([]string{people.ByMail}, people.Networks()...) {
		l.Ways = append(l.Ways, wayView{way, slices.Contains(p.Letters.By, way)})
	}
	return l
}

// show shows a person.
func (r *Room) show(v *page.Visit, p people.PersonRecord) error {
	return r.person(v, http.StatusOK, showView{personView: viewOf(p), Letters: lettersOf(p.Person)})
}

// person shows a person's page with what its forms hold.
func (r *Room) person(v *page.Visit, status int, w showView) error {
	w.Keeps, w.Mine = keeps(v), v.Who.Own && v.Who.Person == w.ID
	w.Password = r.Passwords != nil && v.Who.May(page.Admin)
	groups, _, err := r.Directory.Groups(v.Until, v.Who.App.Tenant, people.GroupFilter{Member: people.Member{Person: w.ID}}, "", ticket.MaxPage)
	if err != nil {
		return err
	}
	for _, g := range groups {
		w.Groups = append(w.Groups, groupView{g, groupPath(g.ID)})
	}
	absences, _, err := r.Directory.Absences(v.Until, v.Who.App.Tenant, people.AbsenceFilter{Person: w.ID}, "", listPage)
	if err != nil {
		return err
	}
	for _, a := range absences {
		w.Absences = append(w.Absences, r.absenceOf(a, zoneOf(w.Person)))
	}
	return v.Render(status, "people/person", w.Label(), w)
}

// letters keeps how somebody wants to be told, and in which language and time zone. These a person may say for themself; who they are, and how they are reached, is for
// those who keep the directory.
func (r *Room) letters(v *page.Visit, p people.PersonRecord) error {
	letters := people.Letters{When: v.Form.Get("letters.when"), By: v.Form.Values["letters.by"]}
	fault := number(v, "letters.minutes", &letters.Minutes)
	err := fault
	if err == nil {
		_, err = page.Transact(v, r.Desk, false, func(ctx context.Context) (int64, error) {
			rec, err := r.Directory.ChangePerson(ctx, v.Who.App.Tenant, v.Who.By(), people.Key{ID: p.ID}, func(had people.PersonRecord, known bool) (people.PersonRecord, error) {
				if !known {
					return had, page.ErrNoPage
				}
				had.Letters, had.Language, had.TimeZone = letters, v.Form.Text("language"), v.Form.Text("time_zone")
				return had, nil
			})
			return rec.Version, err
		})
	}
	if err == nil {
		return v.Done(pathOf(p.ID), v.T("people.done.letters"))
	}
	wrong, ok := v.Fault(err)
	if !ok {
		return err
	}
	typed := lettersOf(people.Person{Language: v.Form.Get("language"), TimeZone: v.Form.Get("time_zone"), Letters: letters})
	typed.Minutes, typed.Fault = v.Form.Get("letters.minutes"), wrong
	return r.person(v, http.StatusBadRequest, showView{personView: viewOf(p), Letters: typed})
}

// number reads a whole number that may be left out.
func number(v *page.Visit, name string, to *int) error {
	text := v.Form.Text(name)
	if text == "" {
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return ticket.RefuseField(ticket.Invalid, name, "must be a whole number")
	}
	*to = n
	return nil
}

// editView is a person as a form.
type editView struct {
	people.Person
	Path, Back string
	New        bool
	Version    int64
	Active     bool
	Networks   []people.Chat // one for each network
	Letters    lettersView
	Fault      page.Fault
	Meanwhile  bool // somebody else changed the person
}

func editOf(p people.Person) editView {
	e := editView{Person: p, Active: p.Active, Letters: lettersOf(p)}
	for _, network := range people.Networks() {
		chat := people.Chat{Network: network}
		for _, c := range p.Chats {
			if c.Network == network {
				chat = c
			}
		}
		e.Networks = append(e.Networks, chat)
	}
	return e
}

func (r *Room) begin(v *page.Visit) error {
	return r.editor(v, http.StatusOK, editOf(people.Person{Active: true}), "")
}

func (r *Room) edit(v *page.Visit, p people.PersonRecord) error {
	e := editOf(p.Person)
	e.Version = p.Version
	return r.editor(v, http.StatusOK, e, p.ID)
}

// editor shows the form; id is the person's, empty for a new one.
func (r *Room) editor(v *page.Visit, status int, e editView, id string) error {
	title := v.T("people.new")
	e.New, e.Path, e.Back = id == "", "/directory/person", "/people"
	if !e.New {
		title, e.Path, e.Back = v.T("people.editing", "Name", e.Label()), pathOf(id)+"/edit", pathOf(id)
	}
	return v.Render(status, "people/edit", title, e)
}

// save keeps a person as the form has it; id is empty for a new one.
func (r *Room) save(v *page.Visit, id string) error {
	p := people.Person{ID: cmp.Or(id, v.Form.Text("id")), Name: v.Form.Text("name"), Email: v.Form.Text("email"), Language: v.Form.Text("language"), TimeZone: v.Form.Text("time_zone"),
		Manager: v.Form.Text("manager"), Active: v.Form.On("active"), Letters: people.Letters{When: v.Form.Get("letters.when"), By: v.Form.Values["letters.by"]}}
	for _, network := range people.Networks() {
		chat := people.Chat{Network: network, Address: v.Form.Text(network + ".address"), Webhook: v.Form.Text(network + ".webhook"), Secret: v.Form.Text(network + ".secret")}
		if chat.Address != "" || chat.Webhook != "" {
			p.Chats = append(p.Chats, chat)
		}
	}
	version, _ := strconv.ParseInt(v.Form.Get("version"), 10, 64)
	err := number(v, "letters.minutes", &p.Letters.Minutes)
	if err == nil && p.ID == "" {
		err = ticket.RefuseField(ticket.Invalid, "id", "is required")
	}
	if err == nil {
		err = houseapi.Reachable("", p.Chats, r.Allow)
	}
	if err == nil {
		_, err = page.Transact(v, r.Desk, false, func(ctx context.Context) (int64, error) {
			rec, err := r.Directory.ChangePerson(ctx, v.Who.App.Tenant, v.Who.By(), people.Key{ID: p.ID}, func(had people.PersonRecord, known bool) (people.PersonRecord, error) {
				switch {
				case id == "" && known:
					return had, errKnown
				case id != "" && had.Version != version:
					return had, errChanged
				}
				had.Person = p
				return had, nil
			})
			return rec.Version, err
		})
	}
	if err == nil {
		return v.Done(pathOf(p.ID), v.T("people.done.kept"))
	}
	wrong, ok := v.Fault(err)
	if !ok {
		return err
	}
	e := editOf(p)
	e.Version, e.Fault, e.Letters.Fault, e.Letters.Minutes = version, wrong, wrong, v.Form.Get("letters.minutes")
	switch ticket.AsError(err) {
	case errKnown:
		e.Fault = page.Fault{Field: wrong.Field, Text: v.T("people.known")}
	case errChanged:
		now, err := r.Directory.Person(v.Until, v.Who.App.Tenant, people.Key{ID: id})
		if err != nil {
			return err
		}
		e.Version, e.Meanwhile, e.Fault = now.Version, true, page.Fault{}
		return r.editor(v, http.StatusConflict, e, id)
	}
	return r.editor(v, http.StatusBadRequest, e, id)
}

var (
	errKnown   = ticket.RefuseField(ticket.Conflict, "id", "is another person's")
	errChanged = ticket.Refuse(ticket.Conflict, "was changed by somebody else meanwhile")
)

// remove forgets a person, once the box was ticked that says so.
func (r *Room) remove(v *page.Visit, p people.PersonRecord) error {
	if !v.Form.On("sure") {
		return v.Failed(pathOf(p.ID), ticket.Refuse(ticket.Invalid, v.T("people.sure")))
	}
	_, err := page.Transact(v, r.Desk, false, func(ctx context.Context) (bool, error) {
		return true, r.Directory.RemovePerson(ctx, v.Who.App.Tenant, v.Who.By(), people.Key{ID: p.ID}, func(people.PersonRecord) error { return nil })
	})
	if err != nil {
		return v.Failed(pathOf(p.ID), err)
	}
	return v.Done("/people", v.T("people.done.removed", "Name", p.Label()))
}

// awayView is an absence as a form.
type awayView struct {
	From, To, Deputy, Services string
	Fault                      page.Fault
}

// absenceView is an absence in a list.
type absenceView struct {
	people.AbsenceRecord
	State                       string // now, ahead or over
	PersonPath, DeputyPath, End string
	Days                        bool // it is whole days where the person is: from FirstDay on, and they are back on BackDay, empty where it is endless
	FirstDay, BackDay           string
}

// absenceOf gives an absence as a list shows it; zone is the person's, by which it was said.
func (r *Room) absenceOf(a people.AbsenceRecord, zone *time.Location) absenceView {
	w := absenceView{AbsenceRecord: a, State: "now", PersonPath: pathOf(a.Person), End: pathOf(a.Person) + "/absences/" + url.PathEscape(a.ID) + "/end"}
	if a.Deputy != "" {
		w.DeputyPath = pathOf(a.Deputy)
	}
	if w.Days = midnight(a.From, zone) && (a.To.IsZero() || midnight(a.To, zone)); w.Days {
		if w.FirstDay = a.From.In(zone).Format(time.DateOnly); !a.To.IsZero() {
			w.BackDay = a.To.In(zone).Format(time.DateOnly)
		}
	}
	switch now := r.Now(); {
	case !a.To.IsZero() && !a.To.After(now):
		w.State = "over"
	case a.From.After(now):
		w.State = "ahead"
	}
	return w
}

// midnight reports whether a day begins at a moment.
func midnight(at time.Time, zone *time.Location) bool {
	y, m, d := at.In(zone).Date()
	return at.Equal(time.Date(y, m, d, 0, 0, 0, 0, zone))
}

// zoneOf is the time zone that a person's absences are said in; see houseapi.Away.
func zoneOf(p people.Person) *time.Location {
	if zone, err := p.Zone(); err == nil {
		return zone
	}
	return time.UTC
}

// away keeps that somebody is away.
func (r *Room) away(v *page.Visit, p people.PersonRecord) error {
	form := awayView{From: v.Form.Text("from"), To: v.Form.Text("to"), Deputy: v.Form.Text("deputy"), Services: v.Form.Get("services")}
	a, err := houseapi.Away(people.Absence{Person: p.ID, Deputy: form.Deputy, Services: v.Form.List("services")}, form.From, form.To, p)
	if err == nil {
		_, err = page.Transact(v, r.Desk, false, func(ctx context.Context) (string, error) {
			rec, err := r.Directory.AddAbsence(ctx, v.Who.App.Tenant, v.Who.By(), a)
			return rec.ID, err
		})
	}
	if err == nil {
		return v.Done(pathOf(p.ID), v.T("people.done.away"))
	}
	wrong, ok := v.Fault(err)
	if !ok {
		return err
	}
	form.Fault = wrong
	return r.person(v, http.StatusBadRequest, showView{personView: viewOf(p), Letters: lettersOf(p.Person), Away: form})
}

// back ends an absence of a person now.
func (r *Room) back(v *page.Visit, p people.PersonRecord) error {
	id, err := v.Param("absence")
	if err != nil {
		return err
	}
	_, err = page.Transact(v, r.Desk, false, func(ctx context.Context) (string, error) {
		rec, err := r.Directory.EndAbsence(ctx, v.Who.App.Tenant, v.Who.By(), id, r.Now(), func(had people.AbsenceRecord) error {
			if had.Person != p.ID {
				return page.ErrNoPage
			}
			return nil
		})
		return rec.ID, err
	})
	if err != nil {
		return v.Failed(pathOf(p.ID), err)
	}
	return v.Done(pathOf(p.ID), v.T("people.done.back"))
}

// absencesView is a page of absences.
type absencesView struct {
	Person, Deputy, At string
	Rows               []absenceView
	First, Next        string
	Chosen             bool
}

// absences shows who is absent: on a day, or whenever.
func (r *Room) absences(v *page.Visit) error {
	var l absencesView
	var cursor string
	for _, p := range []struct {
		name string
		max  int
		to   *string
	}{{"person", people.MaxName, &l.Person}, {"deputy", people.MaxName, &l.Deputy}, {"at", 10, &l.At}, {"cursor", maxCursor, &cursor}} {
		var err error
		if *p.to, err = v.Ask(p.name, p.max); err != nil {
			return err
		}
	}
	f, query := people.AbsenceFilter{Person: l.Person, Deputy: l.Deputy}, url.Values{}
	for name, value := range map[string]string{"person": l.Person, "deputy": l.Deputy, "at": l.At} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if l.At != "" {
		day, err := time.ParseInLocation(time.DateOnly, l.At, v.Zone())
		if err != nil {
			return ticket.RefuseField(ticket.Invalid, "at", "must be a date such as 2026-12-24")
		}
		f.At = day.Add(12 * time.Hour) // whoever is away that day is away at noon
	}
	found, next, err := r.Directory.Absences(v.Until, v.Who.App.Tenant, f, cursor, listPage)
	if err != nil {
		return err
	}
	zones := map[string]*time.Location{}
	for _, a := range found {
		if zones[a.Person] == nil {
			p, err := r.Directory.Person(v.Until, v.Who.App.Tenant, people.Key{ID: a.Person})
			if err != nil && !ticket.Is(err, ticket.NotFound) {
				return err
			}
			zones[a.Person] = zoneOf(p.Person)
		}
		l.Rows = append(l.Rows, r.absenceOf(a, zones[a.Person]))
	}
	l.Chosen = len(query) > 0
	l.First, l.Next = pages("/absences", query, cursor, next)
	return v.Render(http.StatusOK, "people/absences", v.T("absences.title"), l)
}
