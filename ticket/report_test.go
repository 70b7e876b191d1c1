package ticket_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/ticket"
)

// statement is what JIRA says of its case RECON-1234; later is minutes after the epoch.
func statement(status ticket.Status, later int) ticket.Command {
	c := command(ticket.Report)
	at := epoch.Add(time.Duration(later) * time.Minute)
	c.Operator, c.Channel = "", ticket.ChannelException
	c.Statement = &ticket.Statement{System: "JIRA", Issue: "RECON-1234", Status: status, Assignee: "zhang", UpdatedAt: &at}
	return c
}

// What every status said of a ticket in every phase does: the phase it leads to, "same", or the refusal.
const statements = `
said          triggered     acknowledged  resolved   suspended     completed  terminated  revoked
triggered     same          conflict      invalid    conflict      conflict   conflict    conflict
acknowledged  acknowledged  same          conflict   same          conflict   conflict    conflict
resolved      invalid       invalid       same       invalid       conflict   conflict    conflict
completed     completed     completed     completed  completed     same       same        same
`

func TestEveryStatementInEveryPhase(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(statements), "\n")
	phases := strings.Fields(lines[0])[1:]
	for _, line := range lines[1:] {
		cells := strings.Fields(line)
		for i, want := range cells[1:] {
			t.Run(phases[i]+"/"+cells[0], func(t *testing.T) {
				on := in(t, phases[i])
				c := statement(ticket.Status(cells[0]), 0)
				events, err := ticket.Decide(on, c, epoch)
				if want == "conflict" || want == "invalid" {
					require.Empty(t, events)
					refusal(t, err, ticket.Code(want), "status")
					return
				}
				require.NoError(t, err)
				require.Len(t, events, 1)
				after := ticket.Fold(on, events)
				if want == "same" {
					require.Equal(t, ticket.Reported, events[0].Type)
					want = on.Phase()
				}
				require.Equal(t, want, after.Phase())
				require.Equal(t, []ticket.Link{{System: "JIRA", Issue: "RECON-1234", Status: c.Statement.Status, UpdatedAt: c.Statement.UpdatedAt,
					Digest: after.Links[0].Digest}}, after.Links)
				require.Equal(t, c.Statement, events[0].After.Statement)
				require.Nil(t, events[0].Before.Link)
				if on.Ended() {
					require.Equal(t, on.Assignee, after.Assignee, "who worked on an ended ticket is history")
				}
			})
		}
	}
}

func TestASystemAcceptsForItsAssignee(t *testing.T) {
	on := in(t, "triggered")
	c := statement(ticket.Acknowledged, 0)
	due := epoch.Add(time.Hour)
	c.Statement.DueAt = &due
	after, events := do(t, on, c)
	require.Equal(t, ticket.Accepted, events[0].Type)
	require.Equal(t, "demo", events[0].Actor)
	require.Equal(t, "zhang", after.Assignee)
	require.Equal(t, &due, after.Links[0].DueAt)

	c.Statement.Assignee = ""
	_, err := ticket.Decide(on, c, epoch)
	refusal(t, err, ticket.Invalid, "assignee")

	on, _ = do(t, on, command(ticket.Suspend))
	c.Statement.Assignee = "zhang"
	_, err = ticket.Decide(on, c, epoch)
	require.Contains(t, refusal(t, err, ticket.Conflict, "").Message, "suspended")
}

func TestAStatementOfTheSameStatusIsNoted(t *testing.T) {
	on, _ := do(t, in(t, "triggered"), statement(ticket.Acknowledged, 0))
	first := on.Links[0]
	other := statement(ticket.Acknowledged, 1)
	due := epoch.Add(time.Hour)
	other.Statement.Assignee, other.Statement.DueAt = "qian", &due
	on, events := do(t, on, other)
	require.Equal(t, "qian", on.Assignee)
	require.Equal(t, "zhang", *events[0].Before.Assignee)
	require.Equal(t, &first, events[0].Before.Link)
	require.Equal(t, &due, on.Links[0].DueAt)

	silent := statement(ticket.Acknowledged, 2)
	silent.Statement.Assignee = ""
	on, events = do(t, on, silent)
	require.Nil(t, events[0].After.Assignee)
	require.Equal(t, "qian", on.Assignee, "an assignee cannot be cleared")
	require.Equal(t, &due, on.Links[0].DueAt, "nor a due date, unless by accepting")

	_, events = do(t, on, silent)
	require.Empty(t, events, "word for word the same is nothing new")
	back := statement(ticket.Acknowledged, 2)
	_, events = do(t, on, back)
	require.Equal(t, "zhang", *events[0].After.Assignee)
}

// The case is given back and accepted again over there: the due date of the second acceptance replaces the first, none clears it.
func TestAcceptingReplacesTheDueDate(t *testing.T) {
	first := statement(ticket.Triggered, 0)
	due := epoch.Add(time.Hour)
	first.Statement.DueAt = &due
	on, _ := do(t, in(t, "triggered"), first)
	require.Equal(t, &due, on.Links[0].DueAt)
	require.Equal(t, "zhang", on.Assignee)
	on, _ = do(t, on, statement(ticket.Acknowledged, 1))
	require.Nil(t, on.Links[0].DueAt)
}

func TestASystemSolves(t *testing.T) {
	c := statement(ticket.Completed, 0)
	due := epoch.Add(time.Hour)
	c.Statement.DueAt, c.Statement.Assignee = &due, "qian"
	for _, phase := range []string{"triggered", "acknowledged", "suspended"} {
		on := in(t, phase)
		after, events := do(t, on, c)
		require.Equal(t, ticket.Closed, events[0].Type)
		require.Equal(t, "Resolved via JIRA callback", events[0].Note)
		require.Equal(t, "Resolved via JIRA callback", after.Reason)
		require.Equal(t, "Resolved via JIRA callback", after.Solution.Text)
		require.Equal(t, events[0].At, *after.SolvedAt)
		require.False(t, after.Suspended)
		require.Equal(t, on.Assignee, after.Assignee)
		require.Nil(t, after.Links[0].DueAt)
	}

	// A solution that waits for its confirmation keeps what the system says nothing of.
	on := in(t, "resolved")
	after, _ := do(t, on, c)
	require.Equal(t, on.Solution, after.Solution)
	require.Equal(t, on.SolvedAt, after.SolvedAt)
	c.Statement.Notes = "更正"
	after, events := do(t, on, c)
	want := *on.Solution
	want.Text = "更正"
	require.Equal(t, &want, after.Solution)
	require.Equal(t, on.Solution, events[0].Before.Solution)

	// One that was found wanting is not taken up again.
	no := command(ticket.Confirm)
	no.Verdict.Passed = false
	on, _ = do(t, on, no)
	after, _ = do(t, on, c)
	require.Equal(t, &ticket.Solution{Text: "更正"}, after.Solution)

	_, err := ticket.Decide(after, statement(ticket.Acknowledged, 9), epoch)
	refusal(t, err, ticket.Conflict, "status")
}

func TestWhatComesTooLateChangesNothing(t *testing.T) {
	on, _ := do(t, in(t, "triggered"), statement(ticket.Acknowledged, 5))
	for _, status := range []ticket.Status{ticket.Triggered, ticket.Acknowledged, ticket.Resolved, ticket.Completed} {
		after, events := do(t, on, statement(status, 4))
		require.Equal(t, ticket.Stale, events[0].Type)
		require.Equal(t, status, events[0].After.Statement.Status)
		quiet := after
		quiet.Seq, quiet.UpdatedAt = on.Seq, on.UpdatedAt
		require.Equal(t, on, quiet)
	}

	untold := statement(ticket.Acknowledged, 0)
	untold.Statement.UpdatedAt, untold.Statement.Assignee = nil, "qian"
	on, events := do(t, on, untold)
	require.Equal(t, ticket.Reported, events[0].Type, "without a time it counts as it comes")
	_, events = do(t, on, statement(ticket.Acknowledged, 4))
	require.Equal(t, ticket.Stale, events[0].Type, "and does not make the ticket forget the latest time")
	_, events = do(t, on, statement(ticket.Acknowledged, 5))
	require.Equal(t, ticket.Reported, events[0].Type, "the same time counts as it comes")

	elsewhere := statement(ticket.Completed, 0)
	elsewhere.Statement.Issue = "RECON-1"
	ended, _ := do(t, on, elsewhere)
	require.Equal(t, "completed", ended.Phase(), "every case has a time of its own")
	require.Len(t, ended.Links, 2)
	ended.Generation++
	_, events = do(t, ended, statement(ticket.Triggered, 4))
	require.Equal(t, ticket.Stale, events[0].Type)
}

func TestLinksHaveALimit(t *testing.T) {
	on := in(t, "acknowledged")
	for i := range ticket.MaxLinks {
		c := statement(ticket.Acknowledged, i)
		c.Statement.Issue = fmt.Sprintf("RECON-%d", i)
		on, _ = do(t, on, c)
	}
	_, err := ticket.Decide(on, statement(ticket.Acknowledged, 0), epoch)
	require.Contains(t, refusal(t, err, ticket.Conflict, "externalIssueId").Message, "at most 50 links to external issues, not 51")
	again := statement(ticket.Completed, 90)
	again.Statement.Issue = "RECON-7"
	on, _ = do(t, on, again)
	require.Equal(t, "completed", on.Phase())
	require.Len(t, on.Links, ticket.MaxLinks)
}

func TestStatementsNameWhatIsWrong(t *testing.T) {
	late, early := time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -3600)), time.Date(0, 1, 1, 0, 0, 0, 0, time.FixedZone("", 3600))
	for field, changes := range map[string][]func(*ticket.Statement){
		"externalSystem": {func(s *ticket.Statement) { s.System = "" }, func(s *ticket.Statement) { s.System = chars(256) },
			func(s *ticket.Statement) { s.System = "A\nB" }},
		"externalIssueId": {func(s *ticket.Statement) { s.Issue = "" }, func(s *ticket.Statement) { s.Issue = chars(256) }},
		"status": {func(s *ticket.Statement) { s.Status = "" }, func(s *ticket.Statement) { s.Status = ticket.Revoked },
			func(s *ticket.Statement) { s.Status = "RESOLVED" }},
		"callbackType":    {func(s *ticket.Statement) { s.Kind = chars(256) }, func(s *ticket.Statement) { s.Kind = "a\tb" }},
		"resolutionNotes": {func(s *ticket.Statement) { s.Notes = chars(10_001) }, func(s *ticket.Statement) { s.Notes = "a\x00" }},
		"assignee":        {func(s *ticket.Statement) { s.Assignee = chars(256) }, func(s *ticket.Statement) { s.Assignee = "a\xff" }},
		"dueAt":           {func(s *ticket.Statement) { s.DueAt = &late }, func(s *ticket.Statement) { s.DueAt = &early }},
		"updatedAt":       {func(s *ticket.Statement) { s.UpdatedAt = &late }, func(s *ticket.Statement) { s.UpdatedAt = &early }},
	} {
		for _, change := range changes {
			c := statement(ticket.Completed, 0)
			change(c.Statement)
			refusal(t, c.Check(), ticket.Invalid, field)
		}
	}
	c := statement(ticket.Completed, 0)
	c.Statement = nil
	refusal(t, c.Check(), ticket.Invalid, "externalSystem")
	c = statement(ticket.Completed, 0)
	c.Statement.System, c.Statement.Issue, c.Statement.Assignee, c.Statement.Kind = chars(255), chars(255), chars(255), chars(255)
	c.Statement.Notes = chars(10_000)
	require.NoError(t, c.Check())
	_, events := do(t, in(t, "triggered"), c)
	require.Less(t, len(asJSON(t, events)), ticket.MaxEvent)
}

func TestNumbersAreKnownAsSuch(t *testing.T) {
	for _, series := range []ticket.Series{ticket.SeriesIM, ticket.SeriesREQ, ticket.SeriesCRQ, ticket.SeriesINC, ticket.SeriesPBI} {
		for _, n := range []int64{1, 999_999, 12_345_678_901} {
			require.True(t, ticket.IsNumber(series.Number(epoch, n)))
		}
	}
	for _, other := range []string{"", "IM1", "XX20260102000001", "REQ2026010200000", "req20260102000001", "REQ20260102000001\n", " REQ20260102000001"} {
		require.False(t, ticket.IsNumber(other), other)
	}
}
