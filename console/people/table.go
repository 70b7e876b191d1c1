package people

import (
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"signalbox/console/page"
	"signalbox/people"
	"signalbox/ticket"
)

// How many persons a file has at most: one that is taken along, and one that is taken in, by one transaction; and how large the latter is.
const (
	maxExport = 10_000
	maxImport = 500
	maxText   = 256 << 10 // bytes
	maxFaults = 50        // that are told of
)

// column is a column of a file of persons, and the member that it holds; that of active holds no text.
type column struct {
	name string
	of   func(*people.Person) *string
}

// columns are those of a file of persons, and the members that they hold. Other members are kept elsewhere alone.
var columns = []column{
	{"id", func(p *people.Person) *string { return &p.ID }},
	{"name", func(p *people.Person) *string { return &p.Name }},
	{"email", func(p *people.Person) *string { return &p.Email }},
	{"manager", func(p *people.Person) *string { return &p.Manager }},
	{"language", func(p *people.Person) *string { return &p.Language }},
	{"time_zone", func(p *people.Person) *string { return &p.TimeZone }},
	{"active", nil},
}

// export gives the persons of the list as a file, as import takes them.
func (r *Room) export(v *page.Visit) error {
	f, query, err := chosen(v)
	if err != nil {
		return err
	}
	return v.CSV("people.csv", func(row func(cells ...string)) error {
		var head []string
		for _, c := range columns {
			head = append(head, c.name)
		}
		row(head...)
		for n, cursor := 0, ""; ; {
			found, next, err := r.Directory.Persons(v.Until, v.Who.App.Tenant, f, cursor, ticket.MaxPage)
			if err != nil {
				return err
			}
			for _, p := range found[:min(len(found), maxExport-n)] {
				row(cellsOf(p.Person)...)
			}
			n += len(found)
			if cursor = next; cursor == "" {
				return nil
			}
			if n >= maxExport {
				row(v.T("people.cut", "N", maxExport, "Query", query.Encode()))
				return nil
			}
		}
	})
}

func cellsOf(p people.Person) (cells []string) {
	for _, c := range columns {
		if c.of == nil {
			cells = append(cells, strconv.FormatBool(p.Active))
			continue
		}
		cells = append(cells, *c.of(&p))
	}
	return cells
}

// rowOf is a line of a file that is taken in: what it says of a person, and of which columns.
type rowOf struct {
	line   int
	cells  map[string]string
	active bool
}

// into gives a person as the line has it: what the file has no column for stays as it is.
func (w rowOf) into(p people.Person, known bool) people.Person {
	for _, c := range columns {
		value, there := w.cells[c.name]
		switch {
		case c.of != nil && there:
			*c.of(&p) = value
		case c.of == nil && value != "":
			p.Active = w.active
		case c.of == nil && !known:
			p.Active = true
		}
	}
	return p
}

// lineFault is something that is wrong with a line.
type lineFault struct {
	Line int
	Text string
}

// importView is the taking in of a file: what was given, what is wrong with it, and what it would do.
type importView struct {
	CSV     string
	Max     int
	Fault   page.Fault
	Faults  []lineFault
	More    int // further faults
	Tried   bool
	New     []people.Person
	Changed []changeView
	Same    int
}

// changeView is what a file would change of a person.
type changeView struct {
	people.Person
	Changes []cellChange
}

type cellChange struct{ Column, From, To string }

func (r *Room) importing(v *page.Visit) error { return r.importer(v, http.StatusOK, importView{}) }

func (r *Room) importer(v *page.Visit, status int, w importView) error {
	w.Max = maxImport
	if w.More = max(0, len(w.Faults)-maxFaults); w.More > 0 {
		w.Faults = w.Faults[:maxFaults]
	}
	return v.Render(status, "people/import", v.T("people.import"), w)
}

// imported tells what a file would do or, where that is asked for, keeps what it says, all of it or nothing.
func (r *Room) imported(v *page.Visit) error {
	w := importView{CSV: strings.TrimPrefix(v.Form.Source("csv"), "\ufeff")}
	rows, faults, err := readRows(v, w.CSV)
	w.Faults = faults
	keep := v.Form.Get("do") == "keep"
	if !keep {
		v.Tries()
	}
	if err == nil {
		err = r.would(v, rows, &w)
	}
	if err == nil && len(w.Faults) == 0 && keep {
		var count int
		if count, err = r.keep(v, rows); err == nil {
			return v.Done("/people", v.T("people.imported", "Count", count))
		}
		var at *atLine
		if errors.As(err, &at) {
			w.Faults = append(w.Faults, lineFault{at.line, v.Refusal(at.why)})
			err = nil
		}
	}
	if wrong, ok := v.Fault(err); ok {
		w.Fault = wrong
		return r.importer(v, http.StatusBadRequest, w)
	}
	if err != nil {
		return err
	}
	if len(w.Faults) > 0 {
		return r.importer(v, http.StatusBadRequest, w)
	}
	w.Tried = true
	return r.importer(v, http.StatusOK, w)
}

// readRows reads a file with a head that names the columns, in any order, between commas, semicolons or tabs.
func readRows(v *page.Visit, text string) (rows []rowOf, faults []lineFault, err error) {
	if len(text) > maxText {
		return nil, nil, ticket.RefuseField(ticket.Invalid, "csv", ticket.Over(maxText, "bytes", len(text)))
	}
	reader := csv.NewReader(strings.NewReader(text))
	first, _, _ := strings.Cut(text, "\n")
	for _, comma := range []rune{';', '\t'} {
		if strings.ContainsRune(first, comma) && !strings.ContainsRune(first, ',') {
			reader.Comma = comma
		}
	}
	reader.FieldsPerRecord = -1
	head, err := reader.Read()
	if errors.Is(err, io.EOF) {
		return nil, nil, ticket.RefuseField(ticket.Invalid, "csv", "is required and must not be empty")
	}
	broken := func(err error) bool {
		var wrong *csv.ParseError
		if errors.As(err, &wrong) {
			faults = append(faults, lineFault{wrong.Line, v.T("people.import.quotes")})
			return true
		}
		return false
	}
	if err != nil && broken(err) {
		return nil, faults, nil
	}
	for i := range head {
		head[i] = strings.ToLower(strings.TrimSpace(head[i]))
		if !slices.ContainsFunc(columns, func(c column) bool { return c.name == head[i] }) || slices.Contains(head[:i], head[i]) {
			faults = append(faults, lineFault{1, v.T("people.import.column", "Column", head[i])})
		}
	}
	if !slices.Contains(head, "id") {
		faults = append(faults, lineFault{1, v.T("people.import.no_id")})
	}
	if len(faults) > 0 {
		return nil, faults, nil
	}
	seen := map[string]int{}
	for {
		cells, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return rows, faults, nil
		}
		if err != nil && broken(err) {
			return rows, faults, nil // what comes behind cannot be told from it
		}
		line, _ := reader.FieldPos(0)
		if len(rows) == maxImport {
			return nil, nil, ticket.RefuseField(ticket.Invalid, "csv", ticket.Over(maxImport, "items", maxImport+1))
		}
		if len(cells) != len(head) {
			faults = append(faults, lineFault{line, v.T("people.cells", "Count", len(cells), "Want", len(head))})
			continue
		}
		w := rowOf{line: line, cells: map[string]string{}}
		for i, cell := range cells {
			w.cells[head[i]] = page.Uncovered(strings.TrimSpace(cell))
		}
		if text := w.cells["active"]; text != "" {
			if w.active, err = strconv.ParseBool(strings.ToLower(text)); err != nil {
				faults = append(faults, lineFault{line, "active: " + v.Reason("must be true or false")})
			}
		}
		for _, fault := range w.into(people.Person{}, false).Check() {
			faults = append(faults, lineFault{line, fault.Field + ": " + v.Reason(fault.Message)})
		}
		if before := seen[people.Folded(w.cells["id"])]; before > 0 && w.cells["id"] != "" {
			faults = append(faults, lineFault{line, v.T("people.import.twice", "ID", w.cells["id"], "Line", before)})
		}
		seen[people.Folded(w.cells["id"])] = cmp.Or(seen[people.Folded(w.cells["id"])], line)
		rows = append(rows, w)
	}
}

// would tells what rows would do, and which managers nobody knows.
func (r *Room) would(v *page.Visit, rows []rowOf, w *importView) error {
	var ids []string
	listed := map[string]bool{}
	for _, row := range rows {
		listed[row.cells["id"]] = true
		ids = append(ids, row.cells["id"], row.cells["manager"])
	}
	known, err := r.Directory.PersonsOf(v.Until, v.Who.App.Tenant, ids)
	if err != nil {
		return err
	}
	for _, row := range rows {
		had, there := known[row.cells["id"]]
		if manager := row.cells["manager"]; manager != "" && !listed[manager] && known[manager].ID == "" {
			w.Faults = append(w.Faults, lineFault{row.line, v.T("people.import.manager", "Manager", manager)})
		}
		is := row.into(had.Person, there)
		before, after := cellsOf(had.Person), cellsOf(is)
		change := changeView{Person: is}
		for i, c := range columns {
			if before[i] != after[i] {
				change.Changes = append(change.Changes, cellChange{c.name, before[i], after[i]})
			}
		}
		switch {
		case !there:
			w.New = append(w.New, is)
		case len(change.Changes) > 0:
			w.Changed = append(w.Changed, change)
		default:
			w.Same++
		}
	}
	slices.SortStableFunc(w.Faults, func(a, b lineFault) int { return a.Line - b.Line })
	return nil
}

// atLine is a refusal of what a line says.
type atLine struct {
	line int
	why  *ticket.Error
}

func (a *atLine) Error() string { return "line " + strconv.Itoa(a.line) + ": " + a.why.Error() }

// keep keeps what rows say in one transaction; it gives how many.
func (r *Room) keep(v *page.Visit, rows []rowOf) (int, error) {
	list := make([]people.Person, len(rows))
	for i, row := range rows {
		list[i] = people.Person{ID: row.cells["id"], Manager: row.cells["manager"]}
	}
	var wrong error
	count, err := page.Transact(v, r.Desk, false, func(ctx context.Context) (int, error) {
		at, err := r.Directory.ChangePersons(ctx, v.Who.App.Tenant, v.Who.By(), list, func(i int, had people.PersonRecord, known bool) (people.PersonRecord, error) {
			had.Person = rows[i].into(had.Person, known)
			return had, nil
		})
		if why := ticket.AsError(err); why != nil && why.Code != ticket.Unavailable {
			wrong = &atLine{rows[at].line, why}
		}
		return len(rows), err
	})
	if err != nil && wrong != nil {
		return 0, wrong
	}
	return count, err
}
