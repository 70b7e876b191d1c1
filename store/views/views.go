package views

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"signalbox/store/db"
	"signalbox/ticket"
)

// Shelf is where views are kept.
type Shelf struct{ db *db.DB }

// New gives the views of a database.
func New(d *db.DB) *Shelf { return &Shelf{d} }

type row struct {
	ID        string       `db:"id"`
	Tenant    string       `db:"tenant"`
	Owner     string       `db:"owner"`
	Name      string       `db:"name"`
	Query     string       `db:"query"`
	CreatedAt db.Timestamp `db:"created_at"`
}

func (r row) view() (ticket.View, error) {
	return ticket.View{ID: r.ID, Tenant: r.Tenant, Owner: r.Owner, Name: r.Name, Query: r.Query, CreatedAt: r.CreatedAt.Time}, nil
}

const columns = `id, tenant, owner, name, query, created_at`

// Views lists a person's own views and those that everybody has, each by name, a person's first.
func (s *Shelf) Views(ctx context.Context, tenant, person string) (list []ticket.View, err error) {
	err = s.db.Read(ctx, func(q *db.Tx) error {
		var rows []row
		err := q.All(ctx, &rows, `SELECT `+columns+` FROM views WHERE tenant = ? AND owner IN (?, '') ORDER BY CASE WHEN owner = '' THEN 1 ELSE 0 END, name, id`, tenant, db.CleanText(person))
		if err != nil {
			return db.Wrap("list views", err)
		}
		list, err = db.Convert(rows, row.view)
		return err
	})
	return list, err
}

// View gives a tenant's view; NotFound: there is none, or it is another person's.
func (s *Shelf) View(ctx context.Context, tenant, person, id string) (v ticket.View, err error) {
	err = s.db.Read(ctx, func(q *db.Tx) error {
		var r row
		found, err := q.Find(ctx, &r, `SELECT `+columns+` FROM views WHERE id = ? AND tenant = ? AND owner IN (?, '')`, db.CleanText(id), tenant, db.CleanText(person))
		if err == nil && !found {
			err = errNoView
		}
		v, _ = r.view()
		return db.Wrap("look for a view", err)
	})
	return v, err
}

var errNoView = ticket.Refuse(ticket.NotFound, "there is no such view")

// AddView keeps a view under a new ID. Invalid: something is wrong with it; Conflict: its owner has one of that name; TooMany: its owner has as many as anybody may have.
func (s *Shelf) AddView(ctx context.Context, v ticket.View) (ticket.View, error) {
	if err := v.Check(); err != nil {
		return v, err
	}
	err := s.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		v.ID, v.CreatedAt = uuid.NewString(), db.At(q.Now()).Time
		var n int
		if err := q.Get(ctx, &n, `SELECT COUNT(*) FROM views WHERE tenant = ? AND owner = ?`, v.Tenant, v.Owner); err != nil {
			return db.Wrap("count views", err)
		}
		if n >= ticket.MaxViews {
			return ticket.Refuse(ticket.TooMany, fmt.Sprintf("one has at most %d views; delete those that are not needed", ticket.MaxViews))
		}
		added, err := q.Exec(ctx, `INSERT INTO views (`+columns+`) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (tenant, owner, name) DO NOTHING`, v.ID, v.Tenant, v.Owner, v.Name, v.Query, db.At(v.CreatedAt))
		if err == nil && added == 0 {
			err = errTaken
		}
		return db.Wrap("keep a view", err)
	})
	return v, err
}

var errTaken = ticket.RefuseField(ticket.Conflict, "name", "there is a view of that name already")

// ChangeView gives a view another name and another query; its ID says which, its owner whose, and both stay. NotFound: that owner has none; otherwise as with AddView.
func (s *Shelf) ChangeView(ctx context.Context, v ticket.View) error {
	if err := v.Check(); err != nil {
		return err
	}
	return s.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		taken, err := q.Find(ctx, new(int), `SELECT 1 FROM views WHERE tenant = ? AND owner = ? AND name = ? AND id <> ?`, v.Tenant, v.Owner, v.Name, v.ID)
		switch {
		case err != nil:
			return db.Wrap("look for views of the same name", err)
		case taken:
			return errTaken
		}
		n, err := q.Exec(ctx, `UPDATE views SET name = ?, query = ? WHERE id = ? AND tenant = ? AND owner = ?`, v.Name, v.Query, v.ID, v.Tenant, v.Owner)
		if err == nil && n == 0 {
			err = errNoView
		}
		return db.Wrap("change a view", err)
	})
}

// DeleteView deletes an owner's view; NotFound: that owner has none of that ID.
func (s *Shelf) DeleteView(ctx context.Context, tenant, owner, id string) error {
	return s.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		n, err := q.Exec(ctx, `DELETE FROM views WHERE id = ? AND tenant = ? AND owner = ?`, db.CleanText(id), tenant, owner)
		if err == nil && n == 0 {
			err = errNoView
		}
		return db.Wrap("delete a view", err)
	})
}
