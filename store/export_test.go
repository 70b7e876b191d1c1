package store

import (
	"context"

	"signalbox/store/db"
	"signalbox/store/vault"
)

// InTransaction runs f in a transaction; key gives data keys as they are asked for within one.
func (s *Store) InTransaction(ctx context.Context, f func(ctx context.Context, key func(vault.Purpose) (vault.DataKey, error)) error) error {
	return s.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		return f(ctx, func(p vault.Purpose) (vault.DataKey, error) {
			keys, err := s.KeysIn(ctx, q, p)
			if err != nil {
				return vault.DataKey{}, err
			}
			return keys[0], nil
		})
	})
}

// Setting gives a setting of PostgreSQL as our connections have it.
func (s *Store) Setting(ctx context.Context, name string) (value string, err error) {
	err = s.db.Read(ctx, func(q *db.Tx) error { return q.Get(ctx, &value, `SELECT current_setting(?)`, name) })
	return value, err
}

// Execute has a statement run at the end of the transaction that ctx carries.
func (s *Store) Execute(ctx context.Context, statement string, args ...any) error {
	return s.db.Write(ctx, func(ctx context.Context, q *db.Tx) error { return q.Later(ctx, statement, args...) })
}
