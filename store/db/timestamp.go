package db

import (
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// timestampLayout writes times with one width, so that SQLite, which compares them as text, orders them as PostgreSQL does.
const timestampLayout = "2006-01-02 15:04:05.000000-07:00"

// What both databases can write; a time beyond is taken for the nearest of these, which comes to the same in every comparison.
var (
	earliest = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
)

// Timestamp is a time as both databases keep it: UTC, to the microsecond.
type Timestamp struct{ time.Time }

// At gives a time as both databases keep it.
func At(t time.Time) Timestamp {
	switch t = t.UTC().Truncate(time.Microsecond); {
	case t.Before(earliest):
		return Timestamp{earliest}
	case t.After(latest):
		return Timestamp{latest}
	}
	return Timestamp{t}
}

// AtOrNil is At for what may not have happened.
func AtOrNil(t *time.Time) *Timestamp {
	if t == nil {
		return nil
	}
	m := At(*t)
	return &m
}

// Pointer gives back what AtOrNil took.
func (m *Timestamp) Pointer() *time.Time {
	if m == nil {
		return nil
	}
	return &m.Time
}

// Text writes it as SQLite keeps it, and as digests have it.
func (m Timestamp) Text() string { return At(m.Time).Format(timestampLayout) }

// TimestamptzValue implements pgtype.TimestamptzValuer: PostgreSQL is given the number that it keeps, where Value has it read a text.
func (m Timestamp) TimestamptzValue() (pgtype.Timestamptz, error) {
	return pgtype.Timestamptz{Time: At(m.Time).Time, Valid: true}, nil
}

// Value implements driver.Valuer.
func (m Timestamp) Value() (driver.Value, error) { return m.Text(), nil }

// Scan implements sql.Scanner.
func (m *Timestamp) Scan(src any) error {
	switch v := src.(type) {
	case time.Time:
		*m = At(v)
		return nil
	case []byte:
		return m.parse(string(v))
	case string:
		return m.parse(v)
	}
	return fmt.Errorf("a time was expected, not %T", src)
}

func (m *Timestamp) parse(text string) error {
	t, err := time.Parse(timestampLayout, text)
	if err != nil {
		return fmt.Errorf("read a time: %w", err)
	}
	*m = At(t)
	return nil
}
