package store_test

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/flow"
	"signalbox/store/db"
	"signalbox/ticket"
)

// parsed reads a definition that has no faults.
func parsed(t *testing.T, source string) flow.Definition {
	t.Helper()
	def, faults := flow.Parse([]byte(source))
	require.Empty(t, faults)
	return def
}

const leave = `
key: leave
name: 请假
nodes:
  - {id: ask, name: 申请, type: task, processors: {opener: true}, next: lead}
  - {id: lead, name: 审批, type: approval, processors: {persons: [wang, li]}, next: over}
  - {id: over, name: 结束, type: end}
`

func nodeNumbers(def flow.Definition) map[string]int64 {
	out := map[string]int64{}
	for _, n := range def.Nodes {
		out[n.ID] = n.Number
	}
	return out
}

func TestServicesKeepTheirVersionsAndNumbers(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		first, err := b.PublishService(ctx, "a", "demo", parsed(t, leave))
		require.NoError(t, err)
		require.Equal(t, 1, first.Version)
		require.EqualValues(t, flow.FirstNumber, first.Number, "ids of the built-in services are below")
		require.Len(t, nodeNumbers(first), 3)

		again, err := b.PublishService(ctx, "a", "other", parsed(t, leave))
		require.NoError(t, err)
		require.Equal(t, first, again, "the same content is the same version")

		b.clock.pass(time.Hour)
		without := parsed(t, strings.Replace(strings.Replace(leave, "next: lead", "next: boss", 1), "id: lead", "id: boss", 1))
		second, err := b.PublishService(ctx, "a", "demo", without)
		require.NoError(t, err)
		require.Equal(t, 2, second.Version)
		third, err := b.PublishService(ctx, "a", "demo", parsed(t, leave))
		require.NoError(t, err)
		require.Equal(t, 3, third.Version)
		require.Equal(t, nodeNumbers(first), nodeNumbers(third), "a node keeps its number also when a version was without it")
		require.Equal(t, first.Number, second.Number)
		require.Equal(t, first.Nodes[0].Number, second.Nodes[0].Number)
		require.NotContains(t, nodeNumbers(first), second.Nodes[1].ID)
		for id, n := range nodeNumbers(first) {
			require.NotEqual(t, second.Nodes[1].Number, n, "the number of %s was given out twice", id)
		}

		latest, err := b.Service(ctx, "a", "leave")
		require.NoError(t, err)
		require.Equal(t, third, latest)
		for v, want := range map[int]flow.Definition{1: first, 2: second, 3: third} {
			got, err := b.ServiceVersion(ctx, "a", "leave", v)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
		got, err := b.ServiceByNumber(ctx, "a", first.Number)
		require.NoError(t, err)
		require.Equal(t, third, got.Definition)
		versions, next, err := b.ServiceVersions(ctx, "a", "leave", "", 2)
		require.NoError(t, err)
		require.Len(t, versions, 2)
		rest, end, err := b.ServiceVersions(ctx, "a", "leave", next, 2)
		require.NoError(t, err)
		require.Empty(t, end)
		versions = append(versions, rest...)
		require.Len(t, versions, 3)
		require.Equal(t, third, versions[0].Definition)
		require.Equal(t, epoch.Add(time.Hour), versions[0].PublishedAt)
		require.Equal(t, epoch, versions[2].PublishedAt)
		require.Equal(t, "demo", versions[2].PublishedBy)
	})
}

// TestServicesAreListedInPages: the built-in ones first, then in the order in which they were published, none twice and none left out; and the versions of a built-in one.
func TestServicesAreListedInPages(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		for _, key := range []string{"c", "a", "b"} {
			require.NoError(t, second1(b.PublishService(t.Context(), "a", "demo", parsed(t, strings.Replace(leave, "key: leave", "key: "+key, 1)))))
		}
		require.NoError(t, second1(b.PublishService(t.Context(), "b", "demo", parsed(t, leave))))
		builtIn := len(flow.Builtin())
		for limit := 1; limit < builtIn+5; limit++ {
			var keys []string
			for cursor, pages := "", 0; pages == 0 || cursor != ""; pages++ {
				list, next, err := b.ServicePage(t.Context(), "a", cursor, limit)
				require.NoError(t, err)
				require.LessOrEqual(t, len(list), limit)
				require.Less(t, len(keys), builtIn+4)
				for _, r := range list {
					keys = append(keys, r.Key)
				}
				cursor = next
			}
			require.Len(t, keys, builtIn+3)
			require.Equal(t, []string{"c", "a", "b"}, keys[builtIn:])
		}
		list, next, err := b.ServiceVersions(t.Context(), "a", flow.ServiceIncident, "", 1)
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.Empty(t, next)
		for _, bad := range []string{"none", "MTIz"} {
			_, _, err := b.ServicePage(t.Context(), "a", bad, 1)
			require.True(t, ticket.Is(err, ticket.Invalid))
			_, _, err = b.ServiceVersions(t.Context(), "a", flow.ServiceIncident, bad, 1)
			require.True(t, ticket.Is(err, ticket.Invalid))
		}
		_, _, err = b.ServiceVersions(t.Context(), "a", "leave", "", 1)
		require.True(t, ticket.Is(err, ticket.NotFound), "another tenant's")
	})
}

func TestServicesAreTheirTenants(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		mine, err := b.PublishService(ctx, "a", "demo", parsed(t, leave))
		require.NoError(t, err)
		theirs, err := b.PublishService(ctx, "b", "demo", parsed(t, leave))
		require.NoError(t, err)
		require.NotEqual(t, mine.Number, theirs.Number)
		require.Equal(t, 1, theirs.Version)

		list, err := b.Services(ctx, "a")
		require.NoError(t, err)
		var keys []string
		for _, def := range list {
			keys = append(keys, def.Key)
		}
		require.Equal(t, []string{flow.ServiceIncident, flow.ServiceFastApproval, "leave"}, keys)

		_, err = b.ServiceByNumber(ctx, "a", theirs.Number)
		require.True(t, ticket.Is(err, ticket.NotFound), "%v", err)
		require.NoError(t, b.EnableService(ctx, "a", "leave", false))
		record, err := b.ServiceRecord(ctx, "a", "leave")
		require.NoError(t, err)
		require.False(t, record.Enabled)
		record, err = b.ServiceRecord(ctx, "b", "leave")
		require.NoError(t, err)
		require.True(t, record.Enabled)
	})
}

func TestBuiltInServicesAreThereUnpublished(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		for key, process := range flow.Builtin() {
			def := process.Definition()
			record, err := b.ServiceRecord(ctx, "a", key)
			require.NoError(t, err)
			require.Equal(t, def, record.Definition)
			require.True(t, record.BuiltIn && record.Enabled)
			got, err := b.ServiceByNumber(ctx, "a", def.Number)
			require.NoError(t, err)
			require.Equal(t, record, got)
			version, err := b.ServiceVersion(ctx, "a", key, def.Version)
			require.NoError(t, err)
			require.Equal(t, def, version)
			versions, _, err := b.ServiceVersions(ctx, "a", key, "", 0)
			require.NoError(t, err)
			require.Len(t, versions, 1)
			_, err = b.ServiceVersion(ctx, "a", key, def.Version+1)
			require.True(t, ticket.Is(err, ticket.NotFound), "%v", err)
			_, err = b.PublishService(ctx, "a", "demo", def)
			require.True(t, ticket.Is(err, ticket.Conflict), "%v", err)
			require.True(t, ticket.Is(b.EnableService(ctx, "a", key, false), ticket.Conflict))
		}
	})
}

func TestServicesThatAreNotThere(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		for _, ask := range []func() error{
			func() error { _, err := b.Service(ctx, "a", "no"); return err },
			func() error { _, err := b.Service(ctx, "a", "no\x00pe"); return err },
			func() error { _, err := b.ServiceByNumber(ctx, "a", 0); return err },
			func() error { _, err := b.ServiceByNumber(ctx, "a", 9999); return err },
			func() error { _, err := b.ServiceVersion(ctx, "a", "no", 1); return err },
			func() error { _, _, err := b.ServiceVersions(ctx, "a", "no", "", 0); return err },
			func() error { return b.EnableService(ctx, "a", "no", true) },
		} {
			err := ask()
			require.True(t, ticket.Is(err, ticket.NotFound), "%v", err)
		}
		huge := parsed(t, leave)
		for range 40 {
			huge.Nodes = append(huge.Nodes, flow.Node{ID: "x", Name: strings.Repeat("长", 10_000)})
		}
		_, err := b.PublishService(ctx, "a", "demo", huge)
		require.True(t, ticket.Is(err, ticket.Invalid), "%v", err)
		list, err := b.Services(ctx, "a")
		require.NoError(t, err)
		require.Len(t, list, len(flow.Builtin()), "what was refused left nothing behind")
	})
}

// Several processes publish at once: new services, the same content, and different contents of one service.
func TestPublishedAtOnce(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		const writers = 12
		sources := make([]string, writers)
		for i := range sources {
			switch i % 3 {
			case 0:
				sources[i] = leave
			case 1:
				sources[i] = strings.ReplaceAll(leave, "审批", "审批 "+string(rune('a'+i)))
			case 2:
				sources[i] = strings.Replace(leave, "key: leave", "key: leave."+string(rune('a'+i)), 1)
			}
		}
		got := make([]flow.Definition, writers)
		errs := make([]error, writers)
		var wait sync.WaitGroup
		for i := range sources {
			def := parsed(t, sources[i])
			wait.Go(func() { got[i], errs[i] = b.PublishService(background(), "a", "demo", def) })
		}
		wait.Wait()
		seen, versions := map[int64]string{}, map[string]map[int]string{}
		for i, def := range got {
			require.NoError(t, errs[i])
			for _, n := range def.Nodes {
				name := def.Key + " " + n.ID
				if had, taken := seen[n.Number]; taken {
					require.Equal(t, had, name, "one number for two nodes")
				}
				seen[n.Number] = name
			}
			if versions[def.Key] == nil {
				versions[def.Key] = map[int]string{}
			}
			raw, err := json.Marshal(def)
			require.NoError(t, err)
			if had, taken := versions[def.Key][def.Version]; taken {
				require.Equal(t, had, string(raw), "one version with two contents")
			}
			versions[def.Key][def.Version] = string(raw)
		}
		stored, _, err := b.ServiceVersions(t.Context(), "a", "leave", "", ticket.MaxPage)
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(stored), 5, "four different contents, and one that was published four times")
		for i, record := range stored {
			require.Equal(t, len(stored)-i, record.Version, "versions leave no gap")
			require.Equal(t, stored[0].Number, record.Number)
		}
	})
}

func TestPublishingJoinsTheTransaction(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		op := b.operation("a-key")
		why := ticket.Refuse(ticket.Conflict, "changed my mind")
		_, _, err := b.ledger.Transact(t.Context(), op, func(ctx context.Context) (answer desk.Answer, err error) {
			if _, err := b.PublishService(ctx, "a", "demo", parsed(t, leave)); err != nil {
				return answer, err
			}
			return answer, why
		})
		require.ErrorIs(t, err, why)
		_, err = b.Service(t.Context(), "a", "leave")
		require.True(t, ticket.Is(err, ticket.NotFound), "%v", err)
	})
}

// TestThereAreNoVersionsBeyondTheirColumn: both databases say so, whatever number somebody asks for or has put into a cursor.
func TestThereAreNoVersionsBeyondTheirColumn(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		service, err := b.PublishService(ctx, "a", "demo", parsed(t, leave))
		require.NoError(t, err)
		cal, err := b.PublishCalendar(ctx, "a", "demo", office("Office"))
		require.NoError(t, err)
		for _, n := range []int{math.MinInt64, math.MinInt32 - 1, -1, math.MaxInt32, math.MaxInt32 + 1, 3_000_000_000, math.MaxInt64} {
			for what, err := range map[string]error{
				"service": second1(b.ServiceVersion(ctx, "a", service.Key, n)), "calendar": second1(b.CalendarRecord(ctx, "a", cal.Key, n)),
			} {
				require.True(t, ticket.Is(err, ticket.NotFound), "%s %d: %v", what, n, err)
			}
			for what, text := range map[string]func(context.Context, string, string, int) (string, error){service.Key: b.ServiceText, cal.Key: b.CalendarText} {
				written, err := text(ctx, "a", what, n)
				require.NoError(t, err, "%s %d", what, n)
				require.Empty(t, written)
			}
			if n > 0 {
				behind := db.Cursor{N: int64(n)}.String()
				services, _, err := b.ServiceVersions(ctx, "a", service.Key, behind, 1)
				require.NoError(t, err, n)
				require.Len(t, services, 1, n)
				calendars, _, err := b.CalendarVersions(ctx, "a", cal.Key, behind, 1)
				require.NoError(t, err, n)
				require.Len(t, calendars, 1, n)
			}
		}
	})
}
