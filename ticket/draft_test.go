package ticket_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/ticket"
)

func TestDraftsNameWhatIsWrong(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*ticket.Draft)
		field  string
	}{
		"no origin":             {func(d *ticket.Draft) { d.Origin = "" }, "origin"},
		"origin too long":       {func(d *ticket.Draft) { d.Origin = chars(256) }, "origin"},
		"origin with control":   {func(d *ticket.Draft) { d.Origin = "a\u0085" }, "origin"},
		"no title":              {func(d *ticket.Draft) { d.Title = "" }, "title"},
		"title of blanks":       {func(d *ticket.Draft) { d.Title = " \u3000 " }, "title"},
		"title too long":        {func(d *ticket.Draft) { d.Title = chars(256) }, "title"},
		"title not UTF-8":       {func(d *ticket.Draft) { d.Title = "a\xc3" }, "title"},
		"title on two lines":    {func(d *ticket.Draft) { d.Title = "a\nb" }, "title"},
		"description too long":  {func(d *ticket.Draft) { d.Description = chars(65_537) }, "description"},
		"description with NUL":  {func(d *ticket.Draft) { d.Description = "a\x00" }, "description"},
		"description not UTF-8": {func(d *ticket.Draft) { d.Description = "\xfe" }, "description"},
		"too many tags":         {func(d *ticket.Draft) { d.Tags = items(51, "t") }, "tag"},
		"tag empty":             {func(d *ticket.Draft) { d.Tags = []string{"a", ""} }, "tag[1]"},
		"tag too long":          {func(d *ticket.Draft) { d.Tags = []string{chars(65)} }, "tag[0]"},
		"relation without type": {func(d *ticket.Draft) { d.Relations = []ticket.Relation{{}} }, "relations[0].type"},
		"relation type":         {func(d *ticket.Draft) { d.Relations = []ticket.Relation{{Type: "单"}} }, "relations[0].type"},
		"relation type long":    {func(d *ticket.Draft) { d.Relations = []ticket.Relation{{Type: strings.Repeat("a", 65)}} }, "relations[0].type"},
		"relation type twice":   {func(d *ticket.Draft) { d.Relations = []ticket.Relation{{Type: "a"}, {Type: "a"}} }, "relations[1].type"},
		"relation item":         {func(d *ticket.Draft) { d.Relations = []ticket.Relation{{Type: "a", Content: []string{"x", " "}}} }, "relations[0].content[1]"},
		"relation item long":    {func(d *ticket.Draft) { d.Relations = []ticket.Relation{{Type: "a", Content: []string{chars(256)}}} }, "relations[0].content[0]"},
		"items in all": {func(d *ticket.Draft) {
			d.Relations = []ticket.Relation{{Type: "a", Content: items(6_000, "x")}, {Type: "b", Content: items(4_001, "x")}}
		}, "relations"},
		"items of one": {func(d *ticket.Draft) { d.Relations = []ticket.Relation{{Type: "a", Content: items(10_001, "x")}} }, "relations[0].content"},
		"types of relations": {func(d *ticket.Draft) {
			for i := range 1_001 {
				d.Relations = append(d.Relations, ticket.Relation{Type: fmt.Sprintf("t%d", i)})
			}
		}, "relations"},
		"unknown service":       {func(d *ticket.Draft) { d.Service = "nothing" }, "service"},
		"opener too long":       {func(d *ticket.Draft) { d.Opener = chars(256) }, "opener"},
		"assignee with control": {func(d *ticket.Draft) { d.Assignee = "a\x7f" }, "assignee"},
		"callback URL too long": {func(d *ticket.Draft) { d.Callback = &ticket.Callback{URL: "http://a/" + strings.Repeat("a", 2_048)} }, "callback_url"},
		"fields with NUL":       {func(d *ticket.Draft) { d.Fields = map[string]any{"a": []any{map[string]any{"b": "\x00"}}} }, "fields"},
		"fields' key with NUL":  {func(d *ticket.Draft) { d.Fields = map[string]any{"\x00": 1} }, "fields"},
		"fields too large":      {func(d *ticket.Draft) { d.Fields = map[string]any{"a": strings.Repeat("x", 128<<10)} }, "fields"},
		"fields not JSON":       {func(d *ticket.Draft) { d.Fields = map[string]any{"a": func() {}} }, "fields"},
	} {
		t.Run(name, func(t *testing.T) {
			d := draft()
			test.change(&d)
			err := check(d)
			refusal(t, err, ticket.Invalid, test.field)
			events, opened := ticket.Open(d, identity, "op", epoch)
			require.Equal(t, err, opened)
			require.Nil(t, events)
		})
	}
}

func TestADraftHearsOfAllItsFaults(t *testing.T) {
	d := ticket.Draft{Title: chars(256), Tags: []string{"ok", "a\nb"}, Relations: []ticket.Relation{{Type: "a b"}}, Service: "x"}
	text := check(d).Error()
	for _, field := range []string{"origin", "title", "tag[1]", "relations[0].type", "service"} {
		require.Contains(t, text, field)
	}
	// As many as one answer can tell of, not ten thousand.
	d = draft()
	d.Relations = []ticket.Relation{{Type: "a", Content: make([]string, 10_000)}}
	require.Less(t, len(check(d).Error()), 4_000)
}

func TestTheLargestDraftIsTaken(t *testing.T) {
	d := ticket.Draft{
		Channel: ticket.ChannelIssue, App: "demo", Origin: chars(255), Title: chars(255), Description: chars(65_536), Opener: chars(255),
		Assignee: chars(255), Relations: []ticket.Relation{{Type: strings.Repeat("r", 64), Content: append(items(9_999, "x"), chars(255))}},
	}
	for i := range 50 {
		d.Tags = append(d.Tags, chars(62)+fmt.Sprintf("%02d", i))
	}
	require.NoError(t, check(d))
	on, _ := open(t, d)
	require.Len(t, on.Tags, 50)
	require.Equal(t, 10_000, on.Relations[0].Count)
	d.Description = "line\nline\ttab" // a text may have lines
	require.NoError(t, check(d))
}

func TestAnOpeningIsCompleteAndPlain(t *testing.T) {
	d := draft()
	d.Tags = []string{"b", "a", "b"}
	d.Relations = []ticket.Relation{{Type: "manifest", Content: []string{"1", "2", "1"}}, {Type: "empty"}}
	d.Assignee, d.Callback = "zhao", &ticket.Callback{URL: "https://example.com/x"}
	d.Fields = map[string]any{"a": json.Number("1.5"), "b": []any{"x"}}
	at := time.Date(2026, 1, 2, 11, 4, 5, 678_901_999, time.FixedZone("+8", 8*3600))
	events, err := ticket.Open(d, identity, "op-open", at)
	require.NoError(t, err)
	require.Len(t, events, 1)
	e := events[0]
	require.EqualValues(t, 1, e.Seq)
	require.Equal(t, epoch, e.At, "UTC, to the microsecond")
	require.Equal(t, "op-open", e.Operation)
	require.Equal(t, []string{"b", "a"}, e.After.Opening.Tags)
	require.Equal(t, []string{"1", "2"}, e.After.Opening.Relations[0].Content)
	on := ticket.Fold(ticket.Ticket{}, events)
	require.Equal(t, identity, on.Identity)
	require.Equal(t, ticket.ServiceIncident, on.Service)
	require.Equal(t, "zhao", on.Assignee)
	require.Equal(t, e.At, on.CreatedAt)
	require.Equal(t, e.At, on.UpdatedAt)
	require.Equal(t, ticket.Triggered, on.Status)
	require.Equal(t, e, through(t, e))
	require.Equal(t, on, through(t, on))
}

// The state is carried through every roll-over, and a query answers with it beside up to MaxEvent of events: one payload is 2 MiB at most.
func TestTheLargestTicketTravels(t *testing.T) {
	d := ticket.Draft{
		Channel: ticket.ChannelIssue, App: "demo", Origin: chars(255), Title: chars(255), Description: chars(65_536), Opener: chars(255),
		Assignee: chars(255), Fields: map[string]any{"f": strings.Repeat("x", ticket.MaxFields-16)},
	}
	for i := range 50 {
		d.Tags = append(d.Tags, chars(62)+fmt.Sprintf("%02d", i))
	}
	for i := range ticket.MaxRelations {
		d.Relations = append(d.Relations, ticket.Relation{Type: strings.Repeat("r", 60) + fmt.Sprintf("%04d", i), Content: items(10, "x")})
	}
	on, _ := open(t, d)
	for i := range ticket.MaxMessages {
		c := command(ticket.Say)
		c.Message = &ticket.Message{ID: strings.Repeat("m", 60) + fmt.Sprintf("%04d", i), Author: chars(255), Content: chars(10)}
		on, _ = do(t, on, c)
	}
	accept := command(ticket.Accept)
	accept.Operator = chars(254) + "x"
	on, _ = do(t, on, accept)
	solve := command(ticket.CommitSolution)
	solve.Solution = &ticket.Solution{Type: chars(255), Cause: chars(10_000), Text: chars(10_000)}
	on, _ = do(t, on, solve)
	no := command(ticket.Confirm)
	no.Verdict = &ticket.Verdict{Comment: chars(300)}
	on, _ = do(t, on, no)
	for i := range ticket.MaxLinks {
		c := statement(ticket.Acknowledged, i)
		c.Statement.System, c.Statement.Issue, c.Statement.DueAt = chars(255), chars(253)+fmt.Sprintf("%02d", i), c.Statement.UpdatedAt
		on, _ = do(t, on, c)
	}
	hold := command(ticket.Suspend)
	hold.Note = chars(1_000)
	on, _ = do(t, on, hold)

	size := len(asJSON(t, on))
	t.Logf("%d bytes", size)
	require.Less(t, size, 800<<10)
	require.Less(t, size+ticket.MaxEvent, 2<<20-64<<10)
}
