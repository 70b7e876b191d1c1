package services

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"signalbox/calendar"
	"signalbox/flow"
	"signalbox/store/db"
	"signalbox/ticket"
)

// errUnlike is a fault of whoever publishes: the text is not what the document was read from.
var errUnlike = errors.New("the text of a document says something else than the document")

// PublishService makes the definition the next version of the tenant's service of its key, and gives it back with its version and its integer
// ids. A definition that says what the latest version says is that version. The definition must have been checked. It joins the transaction
// that ctx carries. Conflict: the key is that of a built-in service, or the tenant has ticket.MaxServices; Invalid: it is too large.
func (c *Catalogue) PublishService(ctx context.Context, tenant, app string, def flow.Definition) (flow.Definition, error) {
	return c.PublishWritten(ctx, tenant, app, def, "")
}

// PublishWritten is PublishService for a definition that was read from a text, YAML or JSON, which is kept beside the version, also beside one that says the same already, unless it names a version itself. A text
// that says something else than the definition is an error. Without a text none is kept, and one that the latest version has stays where that says the same.
func (c *Catalogue) PublishWritten(ctx context.Context, tenant, app string, def flow.Definition, source string) (published flow.Definition, err error) {
	if _, ok := builtIn(def.Key); ok {
		return published, ticket.RefuseField(ticket.Conflict, "key", "is that of a built-in service")
	}
	if source != "" {
		read, _ := flow.Read([]byte(source)).Check(def.Calendars)
		if read.Version != 0 || read.Number != 0 { // it was drawn, and would tell of another version than its own
			source = ""
		}
		read.Calendars, published = nil, def
		published.Calendars = nil
		if same, err := saysTheSame(read, published); err != nil || !same {
			return flow.Definition{}, errors.Join(err, errUnlike)
		}
	}
	err = c.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		if published, err = c.publishVersion(ctx, q, tenant, app, def); err != nil {
			return err
		}
		return keepText(ctx, q, "service_versions", tenant, published.Key, published.Version, source, ticket.MaxDefinition)
	})
	return published, err
}

// ServiceText gives the text that a version of a service was written as; empty where it was published without one, or there is no such version.
func (c *Catalogue) ServiceText(ctx context.Context, tenant, key string, version int) (string, error) {
	return c.text(ctx, "service_versions", tenant, key, version)
}

// PublishWrittenCalendar is PublishCalendar as PublishWritten is PublishService.
func (c *Catalogue) PublishWrittenCalendar(ctx context.Context, tenant, app string, cal calendar.Calendar, source string) (calendar.Calendar, error) {
	if source != "" {
		read, _ := flow.ParseCalendar([]byte(source), time.LoadLocation)
		if read.Version != 0 { // likewise
			source = ""
		}
		if same, err := calendarsSayTheSame(read, cal); err != nil || !same {
			return calendar.Calendar{}, errors.Join(err, errUnlike)
		}
	}
	err := c.db.Write(ctx, func(ctx context.Context, q *db.Tx) (err error) {
		if cal, err = c.PublishCalendar(ctx, tenant, app, cal); err != nil {
			return err
		}
		return keepText(ctx, q, "calendar_versions", tenant, cal.Key, cal.Version, source, ticket.MaxCalendar)
	})
	return cal, err
}

// CalendarText is ServiceText for a calendar.
func (c *Catalogue) CalendarText(ctx context.Context, tenant, key string, version int) (string, error) {
	return c.text(ctx, "calendar_versions", tenant, key, version)
}

// calendarsSayTheSame leaves out what publishing adds, and what the time zone is found to be.
func calendarsSayTheSame(a, b calendar.Calendar) (bool, error) {
	var texts [2]string
	for i, cal := range []calendar.Calendar{a, b} {
		cal.Version, cal.Offsets = 0, nil
		raw, err := json.Marshal(cal)
		if err != nil {
			return false, fmt.Errorf("write a calendar: %w", err)
		}
		texts[i] = string(raw)
	}
	return texts[0] == texts[1], nil
}

// keepText keeps the text of a version, whose document is held. What a database cannot keep as it is, is not kept.
func keepText(ctx context.Context, q *db.Tx, table, tenant, key string, version int, source string, most int) error {
	switch {
	case source == "" || !utf8.ValidString(source) || strings.ContainsRune(source, 0):
		return nil
	case len(source) > most:
		return ticket.Refuse(ticket.Invalid, "the text "+ticket.Over(most, "bytes", len(source)))
	}
	_, err := q.Exec(ctx, `UPDATE `+table+` SET source = ? WHERE tenant = ? AND key = ? AND version = ? AND (source IS NULL OR source <> ?)`, source, tenant, key, version, source)
	return db.Wrap("keep the text of a version", err)
}

func (c *Catalogue) text(ctx context.Context, table, tenant, key string, version int) (source string, err error) {
	err = c.db.Read(ctx, func(q *db.Tx) error {
		_, err := q.Find(ctx, &source, `SELECT COALESCE(source, '') FROM `+table+` WHERE tenant = ? AND key = ? AND version = ?`, tenant, db.CleanText(key), asked(version))
		return db.Wrap("read the text of a version", err)
	})
	return source, err
}
