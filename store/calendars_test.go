package store_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/calendar"
	"signalbox/flow"
	"signalbox/ticket"
)

func office(name string) calendar.Calendar {
	return calendar.Calendar{Key: "office", Name: name, Zone: "UTC", Week: calendar.Week{Monday: []string{"09:00-17:00"}}, Offsets: []calendar.Offset{{0, 0}}}
}

func TestCalendarsKeepTheirVersions(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		first, err := b.PublishCalendar(ctx, "a", "demo", office("Office"))
		require.NoError(t, err)
		require.Equal(t, 1, first.Version)
		again, err := b.PublishCalendar(ctx, "a", "other", office("Office"))
		require.NoError(t, err)
		require.Equal(t, first, again, "the same content is the same version")
		moved := office("Office")
		moved.Offsets = []calendar.Offset{{0, 0}, {1, 3600}}
		second, err := b.PublishCalendar(ctx, "a", "demo", moved)
		require.NoError(t, err)
		require.Equal(t, 2, second.Version, "a zone with other rules says something else")
		_, err = b.PublishCalendar(ctx, "a", "demo", first)
		require.True(t, ticket.Is(err, ticket.Conflict), "made of a version that is not the latest any more")

		one, err := b.CalendarRecord(ctx, "a", "office", 1)
		require.NoError(t, err)
		require.Equal(t, first, one.Calendar, "a version never changes")
		latest, err := b.CalendarRecord(ctx, "a", "office", 0)
		require.NoError(t, err)
		require.Equal(t, second, latest.Calendar)
		versions, next, err := b.CalendarVersions(ctx, "a", "office", "", 1)
		require.NoError(t, err)
		require.Len(t, versions, 1)
		rest, end, err := b.CalendarVersions(ctx, "a", "office", next, 1)
		require.NoError(t, err)
		require.Empty(t, end)
		versions = append(versions, rest...)
		require.Len(t, versions, 2)
		require.Equal(t, 2, versions[0].Version)
		require.Equal(t, "demo", versions[1].PublishedBy)

		_, _, none := b.CalendarVersions(ctx, "b", "office", "", 1)
		for _, err := range []error{
			second1(b.CalendarRecord(ctx, "b", "office", 0)), second1(b.CalendarRecord(ctx, "a", "office", 3)), none,
			b.EnableCalendar(ctx, "b", "office", false),
		} {
			require.True(t, ticket.Is(err, ticket.NotFound), "%v", err)
		}
		others, _, err := b.CalendarRecords(ctx, "b", "", 0)
		require.NoError(t, err)
		require.Empty(t, others)

		require.NoError(t, b.EnableCalendar(ctx, "a", "office", false))
		usable, err := b.Calendars(ctx, "a", []string{"office", "none"})
		require.NoError(t, err)
		require.Empty(t, usable, "one that is disabled can be named by nothing new")
		list, next, err := b.CalendarRecords(ctx, "a", "", 1)
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.False(t, list[0].Enabled)
		require.Empty(t, next)

		for _, key := range []string{"night", "bank"} {
			other := office("Office")
			other.Key = key
			require.NoError(t, second1(b.PublishCalendar(ctx, "a", "demo", other)))
		}
		var keys []string
		for pages := 0; pages == 0 || next != ""; pages++ {
			require.Less(t, pages, 2)
			list, next, err = b.CalendarRecords(ctx, "a", next, 2)
			require.NoError(t, err)
			for _, r := range list {
				keys = append(keys, r.Key)
			}
		}
		require.Equal(t, []string{"bank", "night", "office"}, keys)
		_, _, err = b.CalendarRecords(ctx, "a", "none", 2)
		require.True(t, ticket.Is(err, ticket.Invalid))
	})
}

func second1[T any](_ T, err error) error { return err }

// TestServicesHaveTheirCalendarsOfTheDay: what is published names them; what is read has them in their latest versions, disabled or not.
func TestServicesHaveTheirCalendarsOfTheDay(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		first, err := b.PublishCalendar(ctx, "a", "demo", office("Office"))
		require.NoError(t, err)
		reading := flow.Read([]byte("calendar: office\n" + strings.Replace(leave, "type: task,", "type: task, deadline: [{after: 8 working hours, do: remind}],", 1)))
		def, faults := reading.Check([]calendar.Calendar{first})
		require.Empty(t, faults)
		published, err := b.PublishService(ctx, "a", "demo", def)
		require.NoError(t, err)
		require.Empty(t, published.Calendars, "they are no part of what is published")

		second, err := b.PublishCalendar(ctx, "a", "demo", office("Office, renamed"))
		require.NoError(t, err)
		require.NoError(t, b.EnableCalendar(ctx, "a", "office", false))
		record, err := b.ServiceRecord(ctx, "a", "leave")
		require.NoError(t, err)
		require.Equal(t, []calendar.Calendar{second}, record.Calendars)
		version, err := b.ServiceVersion(ctx, "a", "leave", 1)
		require.NoError(t, err)
		require.Equal(t, []calendar.Calendar{second}, version.Calendars)
		_, err = flow.Compile(version)
		require.NoError(t, err)
		same, err := b.PublishService(ctx, "a", "demo", def)
		require.NoError(t, err)
		require.Equal(t, 1, same.Version, "another version of a calendar makes no other service")
	})
}

// TestVersionsOfACalendarThatArePublishedAtOnce: each gets a version of its own.
func TestVersionsOfACalendarThatArePublishedAtOnce(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		var wait sync.WaitGroup
		for i := range 8 {
			wait.Go(func() {
				_, err := b.PublishCalendar(t.Context(), "a", "demo", office(fmt.Sprint("Office ", i)))
				require.NoError(t, err)
			})
		}
		wait.Wait()
		versions, _, err := b.CalendarVersions(t.Context(), "a", "office", "", 0)
		require.NoError(t, err)
		require.Len(t, versions, 8)
		for i, v := range versions {
			require.Equal(t, 8-i, v.Version)
		}
	})
}
