package people

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	directory "signalbox/people"
	"signalbox/store/db"
	"signalbox/ticket"
)

const absenceColumns = `id, person, starts, ends, deputy, services, created_by, created_at`

type absenceRow struct {
	ID        string        `db:"id"`
	Person    string        `db:"person"`
	Starts    db.Timestamp  `db:"starts"`
	Ends      *db.Timestamp `db:"ends"`
	Deputy    string        `db:"deputy"`
	Services  string        `db:"services"`
	CreatedBy string        `db:"created_by"`
	CreatedAt db.Timestamp  `db:"created_at"`
}

func (r absenceRow) record() (directory.AbsenceRecord, error) {
	a, err := absenceOf(r.ID, r.Person, r.Deputy, r.Services, r.Starts, r.Ends)
	return directory.AbsenceRecord{Absence: a, CreatedBy: r.CreatedBy, CreatedAt: r.CreatedAt.Time}, err
}

func absenceOf(id, person, deputy, services string, starts db.Timestamp, ends *db.Timestamp) (a directory.Absence, err error) {
	a = directory.Absence{ID: id, Person: person, From: starts.Time, Deputy: deputy}
	if ends != nil {
		a.To = ends.Time
	}
	if err := json.Unmarshal([]byte(services), &a.Services); err != nil {
		return a, fmt.Errorf("read the services of an absence: %w", err)
	}
	return a, nil
}

// endOf gives the end of an absence as it is kept.
func endOf(to time.Time) *db.Timestamp {
	if to.IsZero() {
		return nil
	}
	return db.AtOrNil(&to)
}

// AddAbsence keeps that somebody is away and gives it back under its id. It joins the transaction that ctx carries. Invalid: a field is wrong, or a person is not
// known; TooMany: the person has directory.MaxAbsences.
func (b *Book) AddAbsence(ctx context.Context, tenant, app string, a directory.Absence) (rec directory.AbsenceRecord, err error) {
	if err := refusal(a.Check()); err != nil {
		return rec, err
	}
	err = b.change(ctx, tenant, app, func(ctx context.Context, s *edit) error {
		found, err := s.known(ctx, "directory_persons", []string{a.Person, a.Deputy})
		if err != nil {
			return err
		}
		var f ticket.Faults
		if !found[a.Person] {
			f.Add("person", "there is no such person")
		}
		if a.Deputy != "" && !found[a.Deputy] {
			f.Add("deputy", "there is no such person")
		}
		if err := f.Err(); err != nil {
			return err
		}
		var has int
		if err := s.Get(ctx, &has, `SELECT COUNT(*) FROM directory_absences WHERE tenant = ? AND person = ?`, tenant, a.Person); err != nil {
			return db.Wrap("count absences", err)
		}
		if has >= directory.MaxAbsences {
			return ticket.Refuse(ticket.TooMany, fmt.Sprintf("a person can have at most %d absences", directory.MaxAbsences))
		}
		a.ID = uuid.NewString()
		now := db.At(s.Now())
		rec = directory.AbsenceRecord{Absence: a, CreatedBy: app, CreatedAt: now.Time}
		services, err := write("write the services of an absence", a.Services)
		if err != nil {
			return err
		}
		err = s.Insert(ctx, `directory_absences (tenant, id, person, starts, ends, deputy, services, created_by, created_at)`,
			[][]any{{tenant, a.ID, a.Person, db.At(a.From), endOf(a.To), a.Deputy, services, app, now}})
		if err != nil {
			return err
		}
		return s.happened(ctx, directory.Absent, a.Person, a.ID)
	})
	return rec, err
}

// Absence finds an absence; NotFound.
func (b *Book) Absence(ctx context.Context, tenant, id string) (rec directory.AbsenceRecord, err error) {
	err = b.db.Read(ctx, func(q *db.Tx) error {
		rec, err = findAbsence(ctx, q, tenant, id)
		return err
	})
	return rec, err
}

func findAbsence(ctx context.Context, q *db.Tx, tenant, id string) (rec directory.AbsenceRecord, err error) {
	var row absenceRow
	found, err := q.Find(ctx, &row, `SELECT `+absenceColumns+` FROM directory_absences WHERE tenant = ? AND id = ?`, tenant, db.CleanText(id))
	switch {
	case err != nil:
		return rec, db.Wrap("read an absence", err)
	case !found:
		return rec, errNoAbsence
	}
	return row.record()
}

// EndAbsence ends an absence at a time: one that would begin later is forgotten, and one that ended before stays as it is. allow may refuse; it may be nil. It
// gives the absence as it is then, and joins the transaction that ctx carries. NotFound.
func (b *Book) EndAbsence(ctx context.Context, tenant, app, id string, at time.Time, allow func(directory.AbsenceRecord) error) (rec directory.AbsenceRecord, err error) {
	err = b.change(ctx, tenant, app, func(ctx context.Context, s *edit) error {
		rec, err = findAbsence(ctx, s.Tx, tenant, id)
		if err == nil && allow != nil {
			err = allow(rec)
		}
		if err != nil || !rec.To.IsZero() && !rec.To.After(at) {
			return err
		}
		if rec.From.After(at) {
			rec.To = rec.From
			err = s.Later(ctx, `DELETE FROM directory_absences WHERE tenant = ? AND id = ?`, tenant, rec.ID)
		} else {
			rec.To = db.At(at).Time
			err = s.Later(ctx, `UPDATE directory_absences SET ends = ? WHERE tenant = ? AND id = ?`, db.At(at), tenant, rec.ID)
		}
		if err != nil {
			return db.Wrap("end an absence", err)
		}
		return s.happened(ctx, directory.Absent, rec.Person, rec.ID)
	})
	return rec, err
}

// Absences lists those that a filter chooses, what begins first in front. A limit of 0 is ticket.DefaultPage.
func (b *Book) Absences(ctx context.Context, tenant string, f directory.AbsenceFilter, cursor string, limit int) (list []directory.AbsenceRecord, next string, err error) {
	var w db.Where
	w.And("tenant = ?", tenant)
	w.AndIf(f.Person != "", "person = ?", db.CleanText(f.Person))
	w.AndIf(f.Deputy != "", "deputy = ?", db.CleanText(f.Deputy))
	w.AndIf(f.Deputy != "", "deputy <> ?", "")
	if !f.At.IsZero() {
		w.And("starts <= ? AND (ends IS NULL OR ends > ?)", db.At(f.At), db.At(f.At))
	}
	if err := w.AfterAscending(cursor, "starts, id", func(c db.Cursor) []any { return []any{db.At(c.At), c.ID} }); err != nil {
		return nil, "", err
	}
	err = b.db.Read(ctx, func(q *db.Tx) error {
		var rows []absenceRow
		rows, next, err = db.ReadPage(db.Once(ctx), q, limit, `SELECT `+absenceColumns+` FROM directory_absences WHERE `+w.String()+` ORDER BY starts, id LIMIT ?`, w.Args(),
			func(r absenceRow) db.Cursor { return db.Cursor{N: 1, At: r.Starts.Time, ID: r.ID} })
		if err != nil {
			return db.Wrap("list absences", err)
		}
		list, err = db.Convert(rows, absenceRow.record)
		return err
	})
	return list, next, err
}
