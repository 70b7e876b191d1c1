// Package calendar is the part of the house API that publishes, shows and imports working time.
package calendar

import (
	"context"
	"time"

	"signalbox/calendar"
	"signalbox/ticket"
)

// Calendars is the read model as this family sees it, and what it publishes into.
type Calendars interface {
	// CalendarRecords lists the latest versions, those of disabled calendars included, by key.
	CalendarRecords(ctx context.Context, tenant, cursor string, limit int) (list []ticket.CalendarRecord, next string, err error)
	// CalendarRecord gives a version of a calendar, or the latest one where version is 0. NotFound: there is none.
	CalendarRecord(ctx context.Context, tenant, key string, version int) (ticket.CalendarRecord, error)
	// CalendarVersions lists the versions of a calendar, the latest first; NotFound when there is none of this key.
	CalendarVersions(ctx context.Context, tenant, key, cursor string, limit int) (list []ticket.CalendarRecord, next string, err error)
	// PublishCalendar makes a calendar without faults the next version of the one of its key, and gives it with its version. One that says what the latest version says
	// is that version. Conflict: there are too many. Joins the transaction of ctx.
	PublishCalendar(ctx context.Context, tenant, app string, cal calendar.Calendar) (calendar.Calendar, error)
	// PublishWrittenCalendar is PublishCalendar for one that was read from a text, which is kept beside the version, and which CalendarText gives; empty: there is none.
	PublishWrittenCalendar(ctx context.Context, tenant, app string, cal calendar.Calendar, text string) (calendar.Calendar, error)
	CalendarText(ctx context.Context, tenant, key string, version int) (string, error)
	// EnableCalendar says whether new versions of services may name a calendar; NotFound. Joins the transaction of ctx.
	EnableCalendar(ctx context.Context, tenant, key string, enabled bool) error
}

// line is a calendar in the list.
type line struct {
	Key         string `json:"key"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Zone        string `json:"zone"`
	Version     int    `json:"version"`
	Enabled     bool   `json:"enabled"`
}

func lineOf(r ticket.CalendarRecord) line {
	return line{Key: r.Key, Name: r.Name, Description: r.Description, Zone: r.Zone, Version: r.Version, Enabled: r.Enabled}
}

// version is one version of a calendar in the list of its versions.
type version struct {
	Version     int       `json:"version"`
	Name        string    `json:"name"`
	PublishedBy string    `json:"published_by"` // the app
	PublishedAt time.Time `json:"published_at"`
}

func versionOf(r ticket.CalendarRecord) version {
	return version{Version: r.Version, Name: r.Name, PublishedBy: r.PublishedBy, PublishedAt: r.PublishedAt.UTC()}
}

// published is the result of publishing.
type published struct {
	Key     string `json:"key"`
	Version int    `json:"version"`
}

// importing is what a caller wants to be taken from iCalendar.
type importing struct {
	ICS    *string `json:"ics"`
	From   *int    `json:"from"`  // the first year; this one unless said
	Until  *int    `json:"until"` // the last year; five years on unless said
	DryRun *bool   `json:"dry_run"`
}
