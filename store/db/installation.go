package db

import (
	"context"

	"github.com/google/uuid"
)

// Installation is what this installation calls itself to others: an identifier that is made once and stays, the same in all processes on this database.
func (d *DB) Installation(ctx context.Context) (id string, err error) {
	known := false
	err = d.Read(ctx, func(q *Tx) error {
		known, err = q.Find(ctx, &id, `SELECT id FROM installation WHERE one = 1`)
		return Wrap("read what the installation is called", err)
	})
	if err != nil || known {
		return id, err
	}
	err = d.Write(ctx, func(ctx context.Context, q *Tx) error {
		if _, err := q.Exec(ctx, `INSERT INTO installation (one, id, created_at) VALUES (1, ?, ?) ON CONFLICT (one) DO NOTHING`, uuid.NewString(), At(q.Now())); err != nil {
			return Wrap("name the installation", err)
		}
		return Wrap("read what the installation is called", q.Get(ctx, &id, `SELECT id FROM installation WHERE one = 1`))
	})
	return id, err
}
