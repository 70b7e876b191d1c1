package services

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"signalbox/calendar"
	"signalbox/flow"
	"signalbox/store/db"
	"signalbox/ticket"
)

type calendarRow struct {
	Key         string       `db:"key"`
	Version     int64        `db:"version"`
	Enabled     bool         `db:"enabled"`
	Content     string       `db:"content"`
	PublishedBy string       `db:"published_by"`
	PublishedAt db.Timestamp `db:"published_at"`
}

// calendarVersions is the query for versions of calendars; what it is about comes behind.
const calendarVersions = `SELECT c.key, v.version, c.enabled, v.content, v.published_by, v.published_at
	FROM calendars c JOIN calendar_versions v ON v.tenant = c.tenant AND v.key = c.key `

var (
	errNoCalendar        = ticket.Refuse(ticket.NotFound, "there is no such calendar")
	errNoCalendarVersion = ticket.Refuse(ticket.NotFound, "the calendar has no such version")
)

// CalendarRecords lists the latest versions of a tenant's calendars, those that are disabled included, by key. A limit of 0 is ticket.DefaultPage.
func (c *Catalogue) CalendarRecords(ctx context.Context, tenant, cursor string, limit int) (list []ticket.CalendarRecord, next string, err error) {
	var w db.Where
	w.And("c.tenant = ? AND v.version = c.version", tenant)
	if err := w.AfterAscending(cursor, "c.key", func(p db.Cursor) []any { return []any{p.ID} }); err != nil {
		return nil, "", err
	}
	return c.calendarPage(ctx, w, `c.key`, limit, func(r calendarRow) db.Cursor { return db.Cursor{N: 1, At: r.PublishedAt.Time, ID: r.Key} })
}

// CalendarVersions lists the versions of a calendar by pages, the latest first; NotFound when the tenant has none of this key.
func (c *Catalogue) CalendarVersions(ctx context.Context, tenant, key, cursor string, limit int) (list []ticket.CalendarRecord, next string, err error) {
	var w db.Where
	w.And("c.tenant = ? AND c.key = ?", tenant, db.CleanText(key))
	if err := w.After(cursor, "v.version", func(p db.Cursor) []any { return []any{asked(p.N)} }); err != nil {
		return nil, "", err
	}
	list, next, err = c.calendarPage(ctx, w, `v.version DESC`, limit, func(r calendarRow) db.Cursor { return db.Cursor{N: r.Version} })
	if err == nil && len(list) == 0 {
		_, err = c.CalendarRecord(ctx, tenant, key, 0)
	}
	return list, next, err
}

// calendarPage reads a page of versions of calendars.
func (c *Catalogue) calendarPage(ctx context.Context, w db.Where, order string, limit int, end func(calendarRow) db.Cursor) (list []ticket.CalendarRecord, next string, err error) {
	err = c.db.Read(ctx, func(q *db.Tx) error {
		var rows []calendarRow
		rows, next, err = db.ReadPage(db.Once(ctx), q, limit, calendarVersions+`WHERE `+w.String()+` ORDER BY `+order+` LIMIT ?`, w.Args(), end)
		if err != nil {
			return db.Wrap("list calendars", err)
		}
		list, err = db.Convert(rows, calendarRow.record)
		return err
	})
	return list, next, err
}

// CalendarRecord gives a version of a calendar, or the latest one where version is 0. NotFound: there is none.
func (c *Catalogue) CalendarRecord(ctx context.Context, tenant, key string, version int) (ticket.CalendarRecord, error) {
	query, args, otherwise := `WHERE c.tenant = ? AND c.key = ? AND v.version = c.version`, []any{tenant, db.CleanText(key)}, errNoCalendar
	if version != 0 {
		query, args, otherwise = `WHERE v.tenant = ? AND v.key = ? AND v.version = ?`, append(args, asked(version)), errNoCalendarVersion
	}
	list, err := c.calendars(ctx, calendarVersions+query, args...)
	switch {
	case err != nil:
		return ticket.CalendarRecord{}, err
	case len(list) == 0:
		return ticket.CalendarRecord{}, otherwise
	}
	return list[0], nil
}

// Calendars gives the latest versions of those of a tenant's calendars that services may name from now on, out of some by their keys.
func (c *Catalogue) Calendars(ctx context.Context, tenant string, keys []string) (list []calendar.Calendar, err error) {
	err = c.db.Read(ctx, func(q *db.Tx) error {
		list, err = pinned(ctx, q, tenant, keys, ` AND c.enabled`)
		return err
	})
	return list, err
}

// pinned reads the latest versions of calendars, as tickets keep them.
func pinned(ctx context.Context, q *db.Tx, tenant string, keys []string, where string) (list []calendar.Calendar, err error) {
	for _, key := range keys {
		var content string
		found, err := q.Find(ctx, &content, `SELECT v.content FROM calendars c JOIN calendar_versions v ON v.tenant = c.tenant AND v.key = c.key AND v.version = c.version
			WHERE c.tenant = ? AND c.key = ?`+where, tenant, db.CleanText(key))
		if err != nil {
			return nil, db.Wrap("read a calendar", err)
		}
		if found {
			read, err := readCalendar(content)
			if err != nil {
				return nil, err
			}
			list = append(list, read)
		}
	}
	return list, nil
}

// complete gives definitions of a tenant's services the calendars that they name, in their latest versions. It fails with the database alone: a calendar is
// never removed.
func complete(ctx context.Context, q *db.Tx, tenant string, defs ...*flow.Definition) (err error) {
	for _, def := range defs {
		if keys := def.CalendarsNamed(); len(keys) > 0 {
			if def.Calendars, err = pinned(ctx, q, tenant, keys, ""); err != nil {
				return err
			}
		}
	}
	return nil
}

// PublishCalendar makes a calendar the next version of the tenant's calendar of its key, and gives it back with its version. One that says what the latest version says, offsets
// of its zone included, is that version. It must have been checked. One that has a version is what was made of that one: Conflict where that is not the latest any more, and
// where the tenant has ticket.MaxCalendars; Invalid: it is too large. It joins the transaction that ctx carries.
func (c *Catalogue) PublishCalendar(ctx context.Context, tenant, app string, cal calendar.Calendar) (calendar.Calendar, error) {
	err := c.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		had, err := publishingCalendar(ctx, q, tenant, cal.Key)
		if err != nil {
			return err
		}
		if cal.Version != 0 && cal.Version != had.Version {
			return ticket.Refuse(ticket.Conflict, "another version of the calendar was published meanwhile")
		}
		cal.Version = had.Version
		content, err := json.Marshal(cal)
		if err != nil {
			return fmt.Errorf("write a calendar: %w", err)
		}
		before, err := json.Marshal(had)
		if err != nil {
			return fmt.Errorf("write a calendar: %w", err)
		}
		if bytes.Equal(content, before) {
			return nil
		}
		cal.Version++
		if content, err = json.Marshal(cal); err != nil {
			return fmt.Errorf("write a calendar: %w", err)
		}
		if len(content) > ticket.MaxCalendar {
			return ticket.RefuseField(ticket.Invalid, "calendar", ticket.Over(ticket.MaxCalendar, "bytes as JSON", len(content)))
		}
		now := db.At(q.Now())
		if _, err := q.Exec(ctx, `UPDATE calendars SET version = ?, updated_at = ? WHERE tenant = ? AND key = ?`, cal.Version, now, tenant, cal.Key); err != nil {
			return db.Wrap("update a calendar", err)
		}
		return q.Insert(ctx, `calendar_versions (tenant, key, version, content, published_by, published_at)`,
			[][]any{{tenant, cal.Key, cal.Version, string(content), app, now}})
	})
	return cal, err
}

// publishingCalendar makes sure of a calendar's row and locks it, so that of two who publish at once the second sees what the first did. It gives the latest
// version; its Version is 0 when there is none.
func publishingCalendar(ctx context.Context, q *db.Tx, tenant, key string) (latest calendar.Calendar, err error) {
	now := db.At(q.Now())
	made, err := q.Exec(ctx, `INSERT INTO calendars (tenant, key, version, enabled, created_at, updated_at) VALUES (?, ?, 0, ?, ?, ?)
		ON CONFLICT (tenant, key) DO NOTHING`, tenant, key, true, now, now)
	if err != nil {
		return latest, db.Wrap("insert a calendar", err)
	}
	if made == 1 {
		var n int
		if err := q.Get(ctx, &n, `SELECT COUNT(*) FROM calendars WHERE tenant = ?`, tenant); err != nil {
			return latest, db.Wrap("count calendars", err)
		}
		if n > ticket.MaxCalendars {
			return latest, ticket.Refuse(ticket.Conflict, fmt.Sprintf("a tenant can have at most %d calendars", ticket.MaxCalendars))
		}
		return latest, nil
	}
	var version int
	if err := q.Get(ctx, &version, q.Locking(`SELECT version FROM calendars WHERE tenant = ? AND key = ?`, db.Exclusive), tenant, key); err != nil {
		return latest, db.Wrap("lock a calendar", err)
	}
	var content string
	if err := q.Get(ctx, &content, `SELECT content FROM calendar_versions WHERE tenant = ? AND key = ? AND version = ?`, tenant, key, version); err != nil {
		return latest, db.Wrap("read a calendar", err)
	}
	return readCalendar(content)
}

// EnableCalendar says whether new versions of services may name a calendar; those that name it go on. It joins the transaction that ctx carries. NotFound:
// there is none.
func (c *Catalogue) EnableCalendar(ctx context.Context, tenant, key string, enabled bool) error {
	return c.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		n, err := q.Exec(ctx, `UPDATE calendars SET enabled = ?, updated_at = ? WHERE tenant = ? AND key = ?`, enabled, db.At(q.Now()), tenant, db.CleanText(key))
		if err == nil && n == 0 {
			err = errNoCalendar
		}
		return db.Wrap("enable a calendar", err)
	})
}

func (c *Catalogue) calendars(ctx context.Context, query string, args ...any) (list []ticket.CalendarRecord, err error) {
	err = c.db.Read(ctx, func(q *db.Tx) error {
		var rows []calendarRow
		if err := q.All(ctx, &rows, query, args...); err != nil {
			return db.Wrap("list calendars", err)
		}
		list, err = db.Convert(rows, calendarRow.record)
		return err
	})
	return slices.Clip(list), err
}

func (r calendarRow) record() (ticket.CalendarRecord, error) {
	cal, err := readCalendar(r.Content)
	return ticket.CalendarRecord{Calendar: cal, Enabled: r.Enabled, PublishedBy: r.PublishedBy, PublishedAt: r.PublishedAt.Time}, err
}

func readCalendar(content string) (cal calendar.Calendar, err error) {
	if err = json.Unmarshal([]byte(content), &cal); err != nil {
		return cal, fmt.Errorf("read a calendar: %w", err)
	}
	return cal, nil
}
