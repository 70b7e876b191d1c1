package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/flow"
	"signalbox/ticket"
)

const commented = `# Who is away.
key: leave
nodes: # in the order of their work
  - {id: lead, name: Lead, type: approval, processors: {persons: [wang]}, next: over}
  - {id: over, name: Over, type: end}
name: Leave
`

// The text that a version was written as is kept beside it, as it is; versions that came without one have none.
func TestTextsOfServicesAreKept(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		def, faults := flow.Parse([]byte(commented))
		require.Empty(t, faults)
		text := func(tenant string, version int) string {
			t.Helper()
			source, err := b.ServiceText(t.Context(), tenant, "leave", version)
			require.NoError(t, err)
			return source
		}
		publish := func(def flow.Definition, source string) int {
			t.Helper()
			out, err := b.PublishWritten(t.Context(), "a", "demo", def, source)
			require.NoError(t, err)
			return out.Version
		}
		_, err := b.PublishService(t.Context(), "a", "demo", def)
		require.NoError(t, err)
		require.Empty(t, text("a", 1))
		require.Equal(t, 1, publish(def, commented), "it says the same")
		require.Equal(t, commented, text("a", 1))
		require.Empty(t, text("b", 1), "another tenant")
		require.Empty(t, text("a", 2))
		second := strings.Replace(commented, "# Who is away.", "# Who is away 😀\t", 1)
		require.Equal(t, 1, publish(def, second), "a comment makes no version")
		require.Equal(t, second, text("a", 1))
		require.Equal(t, 1, publish(def, ""))
		require.Equal(t, second, text("a", 1), "without a text, the one that is there stays")
		require.Equal(t, 1, publish(def, "version: 7\n"+commented))
		require.Equal(t, second, text("a", 1), "a text that names a version would tell of another one")

		def.Name = "Away"
		_, err = b.PublishWritten(t.Context(), "a", "demo", def, commented)
		require.ErrorContains(t, err, "says something else")
		require.Nil(t, ticket.AsError(err), "whoever publishes has to see to that")
		_, err = b.PublishWritten(t.Context(), "a", "demo", def, "key: [")
		require.Error(t, err)
		long := strings.Replace(commented, "name: Leave", "name: Away", 1)
		_, err = b.PublishWritten(t.Context(), "a", "demo", def, long+"#"+strings.Repeat("x", ticket.MaxDefinition))
		require.Equal(t, ticket.Invalid, ticket.AsError(err).Code)
		require.Equal(t, 2, publish(def, long))
		require.Equal(t, second, text("a", 1))
		require.Equal(t, long, text("a", 2))
	})
}

func TestTextsOfCalendarsAreKept(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		const source = "# When we work.\nname: Office\nkey: office\nzone: Asia/Shanghai\nweek: {monday: ['09:00-17:00']} # no more\n"
		cal, faults := flow.ParseCalendar([]byte(source), time.LoadLocation)
		require.Empty(t, faults)
		out, err := b.PublishWrittenCalendar(t.Context(), "a", "demo", cal, source)
		require.NoError(t, err)
		text, err := b.CalendarText(t.Context(), "a", "office", out.Version)
		require.NoError(t, err)
		require.Equal(t, source, text)
		text, err = b.CalendarText(t.Context(), "b", "office", out.Version)
		require.NoError(t, err)
		require.Empty(t, text)
		cal.Name = "Bureau"
		_, err = b.PublishWrittenCalendar(t.Context(), "a", "demo", cal, source)
		require.ErrorContains(t, err, "says something else")
		out, err = b.PublishCalendar(t.Context(), "a", "demo", cal)
		require.NoError(t, err)
		text, err = b.CalendarText(t.Context(), "a", "office", out.Version)
		require.NoError(t, err)
		require.Empty(t, text)
	})
}
