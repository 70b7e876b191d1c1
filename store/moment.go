package store

import (
	"database/sql/driver"
	"fmt"
	"time"
)

// layout writes times with one width, so that SQLite, which compares them as text, orders them as PostgreSQL does.
const layout = "2006-01-02 15:04:05.000000-07:00"

// What both databases can write; a time beyond is taken for the nearest of these, which comes to the same in every comparison.
var (
	earliest = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
)

// moment is a time as both databases keep it: UTC, to the microsecond.
type moment struct{ time.Time }

func at(t time.Time) moment {
	switch t = t.UTC().Truncate(time.Microsecond); {
	case t.Before(earliest):
		return moment{earliest}
	case t.After(latest):
		return moment{latest}
	}
	return moment{t}
}

// maybe is at for what may not have happened.
func maybe(t *time.Time) *moment {
	if t == nil {
		return nil
	}
	m := at(*t)
	return &m
}

// pointer gives back what maybe took.
func (m *moment) pointer() *time.Time {
	if m == nil {
		return nil
	}
	return &m.Time
}

// text writes it as SQLite keeps it, and as digests have it.
func (m moment) text() string { return at(m.Time).Format(layout) }

// Value implements driver.Valuer.
func (m moment) Value() (driver.Value, error) { return m.text(), nil }

// Scan implements sql.Scanner.
func (m *moment) Scan(src any) error {
	switch v := src.(type) {
	case time.Time:
		*m = at(v)
		return nil
	case []byte:
		return m.parse(string(v))
	case string:
		return m.parse(v)
	}
	return fmt.Errorf("a time was expected, not %T", src)
}

func (m *moment) parse(text string) error {
	t, err := time.Parse(layout, text)
	if err != nil {
		return fmt.Errorf("read a time: %w", err)
	}
	*m = at(t)
	return nil
}
