package ticket_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/flow"
	"signalbox/ticket"
)

// Whatever is too much is refused with the name of the field, the limit, and how much there was; what is exactly as much as there may be is taken.
func TestEveryLimitIsNamedWithWhatThereWas(t *testing.T) {
	list := func(n int) []string {
		out := make([]string, n)
		for i := range out {
			out[i] = fmt.Sprint("p", i)
		}
		return out
	}
	opened := func(change func(*ticket.Draft, int)) func(*testing.T, int) error {
		return func(_ *testing.T, n int) error {
			d := draft()
			change(&d, n)
			_, err := ticket.Open(d, identity, "op-open", epoch)
			return err
		}
	}
	decided := func(action ticket.Action, change func(*ticket.Command, int)) func(*testing.T, int) error {
		return func(t *testing.T, n int) error {
			on, _ := open(t, draft())
			switch action {
			case ticket.Unsuspend:
				on, _ = do(t, on, command(ticket.Suspend))
			case ticket.CommitSolution:
				on, _ = do(t, on, command(ticket.Accept))
			case ticket.Confirm:
				on, _ = do(t, on, command(ticket.Accept))
				on, _ = do(t, on, command(ticket.CommitSolution))
			}
			c := command(action)
			change(&c, n)
			_, err := ticket.Decide(on, c, epoch)
			return err
		}
	}
	form := func(kind flow.FieldType, value func(n int) any) func(*testing.T, int) error {
		return opened(func(d *ticket.Draft, n int) {
			d.Service, d.Definition = "s", &flow.Definition{Key: "s", Name: "S", Version: 1, Fields: []flow.Field{{Key: "f", Type: kind}}, Nodes: []flow.Node{{ID: "e", Name: "E", Type: flow.End}}}
			d.Form = map[string]any{"f": value(n)}
		})
	}
	for _, c := range []struct {
		field string
		most  int
		unit  string
		try   func(*testing.T, int) error
	}{
		{"origin", ticket.MaxName, "characters", opened(func(d *ticket.Draft, n int) { d.Origin = chars(n) })},
		{"title", ticket.MaxTitle, "characters", opened(func(d *ticket.Draft, n int) { d.Title = chars(n) })},
		{"description", ticket.MaxDescription, "characters", opened(func(d *ticket.Draft, n int) { d.Description = chars(n) })},
		{"opener", ticket.MaxName, "characters", opened(func(d *ticket.Draft, n int) { d.Opener = chars(n) })},
		{"tag", ticket.MaxTags, "items", opened(func(d *ticket.Draft, n int) { d.Tags = list(n) })},
		{"tag[0]", ticket.MaxTag, "characters", opened(func(d *ticket.Draft, n int) { d.Tags = []string{chars(n)} })},
		{"followers", ticket.MaxFollowers, "items", opened(func(d *ticket.Draft, n int) { d.Followers = list(n) })},
		{"relations", ticket.MaxRelations, "types", opened(func(d *ticket.Draft, n int) {
			for _, kind := range list(n) {
				d.Relations = append(d.Relations, ticket.Relation{Type: kind})
			}
		})},
		{"relations", ticket.MaxRelated, "items in all", opened(func(d *ticket.Draft, n int) {
			d.Relations = []ticket.Relation{{Type: "a", Content: list(n - 1)}, {Type: "b", Content: list(1)}}
		})},
		{"relations[0].content", ticket.MaxRelated, "items", opened(func(d *ticket.Draft, n int) { d.Relations = []ticket.Relation{{Type: "a", Content: list(n)}} })},
		{"relations[0].type", ticket.MaxRelationType, "characters", opened(func(d *ticket.Draft, n int) { d.Relations = []ticket.Relation{{Type: strings.Repeat("x", n)}} })},
		{"state_processors.a", flow.MaxItems, "persons", opened(func(d *ticket.Draft, n int) { d.Named = map[string][]string{"a": list(n)} })},
		{"state_processors", ticket.MaxNamed, "bytes as JSON", opened(func(d *ticket.Draft, n int) {
			d.Named = map[string][]string{}
			for i, size := 0, 2; size < n; i++ { // a comma or nothing, "n000":["xx"]
				more := min(n-size, 200)
				if left := n - size - more; left > 0 && left < 20 {
					more -= 20
				}
				pad := more - len(`"n000":[""]`)
				if i > 0 {
					pad--
				}
				d.Named[fmt.Sprintf("n%03d", i)] = []string{strings.Repeat("x", pad)}
				size += more
			}
		})},
		{"fields", ticket.MaxFields, "bytes as JSON", opened(func(d *ticket.Draft, n int) {
			d.Fields = map[string]any{"f": strings.Repeat("x", n-len(`{"f":""}`))}
		})},
		{"f", flow.MaxString, "characters", form(flow.String, func(n int) any { return chars(n) })},
		{"f", flow.MaxText, "characters", form(flow.Text, func(n int) any { return strings.Repeat("x", n) })},
		{"f", 2_048, "characters", form(flow.Link, func(n int) any { return "https://h/" + strings.Repeat("x", n-len("https://h/")) })},
		{"f", flow.MaxItems, "items", form(flow.Members, func(n int) any { return list(n) })},
		{"f", flow.MaxText, "characters", form(flow.Members, func(n int) any { return []string{strings.Repeat("x", n-2), "y"} })},
		{"operator", ticket.MaxName, "characters", decided(ticket.Accept, func(c *ticket.Command, n int) { c.Operator = chars(n) })},
		{"reason", ticket.MaxReason, "characters", decided(ticket.Suspend, func(c *ticket.Command, n int) { c.Note = chars(n) })},
		{"reason", ticket.MaxReason, "characters", decided(ticket.Unsuspend, func(c *ticket.Command, n int) { c.Note = chars(n) })},
		{"reason", ticket.MaxReason, "characters", decided(ticket.Terminate, func(c *ticket.Command, n int) { c.Note = chars(n) })},
		{"cause", ticket.MaxCause, "characters", decided(ticket.CommitSolution, func(c *ticket.Command, n int) { c.Solution.Cause = chars(n) })},
		{"solution", ticket.MaxCause, "characters", decided(ticket.CommitSolution, func(c *ticket.Command, n int) { c.Solution.Text = chars(n) })},
		{"virtual_confirm_comment", ticket.MaxComment, "characters", decided(ticket.Confirm, func(c *ticket.Command, n int) { c.Verdict.Comment = chars(n) })},
		{"author", ticket.MaxName, "characters", decided(ticket.Say, func(c *ticket.Command, n int) { c.Message.Author = chars(n) })},
		{"content", ticket.MaxMessage, "characters", decided(ticket.Say, func(c *ticket.Command, n int) { c.Message.Content = chars(n) })},
		{"content", ticket.MaxRelated, "items", decided(ticket.Relate, func(c *ticket.Command, n int) { c.Relation.Content = list(n) })},
		{"content[0]", ticket.MaxName, "characters", decided(ticket.Relate, func(c *ticket.Command, n int) { c.Relation.Content = []string{chars(n)} })},
		{"externalSystem", ticket.MaxName, "characters", decided(ticket.Report, func(c *ticket.Command, n int) { c.Statement.System = chars(n) })},
		{"externalIssueId", ticket.MaxName, "characters", decided(ticket.Report, func(c *ticket.Command, n int) { c.Statement.Issue = chars(n) })},
		{"resolutionNotes", ticket.MaxCause, "characters", decided(ticket.Report, func(c *ticket.Command, n int) { c.Statement.Notes = chars(n) })},
	} {
		t.Run(fmt.Sprintf("%s, %d %s", c.field, c.most, c.unit), func(t *testing.T) {
			t.Parallel()
			require.NoError(t, c.try(t, c.most))
			require.ErrorContains(t, c.try(t, c.most+1), fmt.Sprintf("%s: must have at most %d %s, not %d", c.field, c.most, c.unit, c.most+1))
		})
	}
}

// A refusal of a size in other words than flow.Over's would leave one of them out.
func TestSizesAreRefusedInOneWay(t *testing.T) {
	words := regexp.MustCompile(`must have at most|there must be at most|must name at most`)
	read := 0
	require.NoError(t, filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || path == "../flow/fault.go" {
			return err
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		read++
		for i, line := range strings.Split(string(text), "\n") {
			code, _, _ := strings.Cut(line, "//")
			require.False(t, words.MatchString(code), "%s:%d: say it with flow.Over: %s", path, i+1, line)
		}
		return nil
	}))
	require.Greater(t, read, 200)
}
