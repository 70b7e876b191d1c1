package ticket_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"signalbox/flow"
	"signalbox/ticket"
)

// Every action in every phase: the phase it leads to, "same" for events that leave the phase, "none" for no events, or the refusal.
const rules = `
action           triggered     acknowledged  resolved      suspended     completed     terminated    revoked
accept           acknowledged  conflict      conflict      conflict      conflict      conflict      conflict
commit-solution  conflict      resolved      conflict      conflict      conflict      conflict      conflict
confirm          conflict      conflict      completed     conflict      conflict      conflict      conflict
confirm:false    conflict      conflict      acknowledged  conflict      conflict      conflict      conflict
approve          conflict      conflict      conflict      conflict      conflict      conflict      conflict
reject           conflict      conflict      conflict      conflict      conflict      conflict      conflict
submit           conflict      conflict      conflict      conflict      conflict      conflict      conflict
add              conflict      conflict      conflict      conflict      conflict      conflict      conflict
remove           conflict      conflict      conflict      conflict      conflict      conflict      conflict
retract          conflict      conflict      conflict      conflict      conflict      conflict      conflict
assign           conflict      conflict      conflict      conflict      conflict      conflict      conflict
reassign         forbidden     forbidden     forbidden     conflict      conflict      conflict      conflict
claim            conflict      conflict      conflict      conflict      conflict      conflict      conflict
deliver          conflict      conflict      conflict      conflict      conflict      conflict      conflict
retry            conflict      conflict      conflict      conflict      conflict      conflict      conflict
skip             conflict      conflict      conflict      conflict      conflict      conflict      conflict
suspend          suspended     suspended     suspended     conflict      conflict      conflict      conflict
unsuspend        conflict      conflict      conflict      acknowledged  conflict      conflict      conflict
withdraw         forbidden     forbidden     forbidden     forbidden     forbidden     forbidden     forbidden
withdraw:opener  revoked       revoked       revoked       revoked       conflict      conflict      conflict
withdraw:admin   revoked       revoked       revoked       revoked       conflict      conflict      conflict
terminate        terminated    terminated    terminated    terminated    conflict      conflict      conflict
close            completed     completed     completed     completed     none          none          none
reopen           none          none          none          none          triggered     conflict      conflict
relate           same          same          same          same          conflict      conflict      conflict
say              same          same          same          same          same          same          same
revise           not_found     not_found     not_found     not_found     not_found     not_found     not_found
revise:said      same          same          same          same          same          same          same
report           acknowledged  same          conflict      same          conflict      conflict      conflict
report:done      completed     completed     completed     completed     same          same          same
nonsense         invalid       invalid       invalid       invalid       invalid       invalid       invalid
`

func TestEveryActionInEveryPhase(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(rules), "\n")
	phases := strings.Fields(lines[0])[1:]
	require.Len(t, phases, 7)
	covered := map[ticket.Action]bool{}
	for _, line := range lines[1:] {
		cells := strings.Fields(line)
		action, variant, _ := strings.Cut(cells[0], ":")
		covered[ticket.Action(action)] = true
		for i, want := range cells[1:] {
			t.Run(cells[0]+"/"+phases[i], func(t *testing.T) {
				on := in(t, phases[i])
				c := command(ticket.Action(action))
				switch variant {
				case "false":
					c.Verdict.Passed = false
				case "opener":
					c.Operator = "wang"
				case "admin":
					c.Admin = true
				case "done":
					c.Statement.Status = ticket.Completed
				case "said":
					on, _ = do(t, on, command(ticket.Say))
					c.Message.Content = "better"
				}
				events, err := ticket.Decide(on, c, epoch)
				after := ticket.Fold(on, events)
				switch want {
				case "conflict", "forbidden", "not_found", "invalid":
					require.Empty(t, events)
					require.True(t, ticket.Is(err, ticket.Code(want)), "%v", err)
				case "none":
					require.NoError(t, err)
					require.Empty(t, events)
				case "same":
					require.NoError(t, err)
					require.Len(t, events, 1)
					require.Equal(t, on.Phase(), after.Phase())
				default:
					require.NoError(t, err)
					require.Len(t, events, 1)
					require.Equal(t, want, after.Phase())
					require.Equal(t, on.Status, ticket.Status(orPhase(events[0].Before.Status, on)))
				}
			})
		}
	}
	for _, action := range append(ticket.HandleActions, ticket.Close, ticket.Reopen, ticket.Relate, ticket.Say, ticket.Revise, ticket.Report) {
		require.True(t, covered[action], "the table lacks %s", action)
	}
}

// orPhase is the status an event started from; suspending leaves the status alone.
func orPhase(before ticket.Status, on ticket.Ticket) ticket.Status {
	if before == "" {
		return on.Status
	}
	return before
}

func TestAnIncidentFromOpeningToConfirmation(t *testing.T) {
	d := draft()
	d.Assignee = "zhao"
	on, events := open(t, d)
	require.Equal(t, "wang", events[0].Actor)
	require.Equal(t, []string{"zhao"}, on.WaitingFor())

	on, events = do(t, on, command(ticket.Accept))
	require.Equal(t, "zhao", *events[0].Before.Assignee)
	require.Equal(t, "li", on.Assignee)
	require.Equal(t, []string{"li"}, on.WaitingFor())
	require.Equal(t, []flow.Action{flow.CommitSolution}, on.Nodes()[0].Actions)

	on, _ = do(t, on, command(ticket.CommitSolution))
	require.Equal(t, "solution", on.Solution.Text)
	require.Equal(t, epoch, *on.SolvedAt)
	require.Equal(t, []string{"wang"}, on.WaitingFor(), "the opener confirms")

	no := command(ticket.Confirm)
	no.Verdict = &ticket.Verdict{Passed: false, Comment: "still broken"}
	on, events = do(t, on, no)
	require.Equal(t, ticket.Acknowledged, on.Status)
	require.Equal(t, ticket.Returned, events[0].Type)
	require.Equal(t, "still broken", events[0].Note)
	require.Equal(t, ticket.Verdict{Comment: "still broken"}, *on.Verdict)

	again := command(ticket.CommitSolution)
	again.Solution.Text = "second"
	on, events = do(t, on, again)
	require.Equal(t, "solution", events[0].Before.Solution.Text)
	require.Equal(t, "second", on.Solution.Text)
	on, events = do(t, on, command(ticket.Confirm))
	require.Equal(t, ticket.Confirmed, events[0].Type)
	require.Equal(t, "still broken", events[0].Before.Verdict.Comment)
	require.True(t, on.Ended())
	require.Empty(t, on.WaitingFor())
	require.Nil(t, on.Nodes())
}

func TestACommandCanNameItsNode(t *testing.T) {
	c := command(ticket.Accept)
	c.Node = "accept"
	on, _ := do(t, in(t, "triggered"), c)
	require.Equal(t, ticket.Acknowledged, on.Status)
	c = command(ticket.CommitSolution)
	c.Node = "confirm"
	_, err := ticket.Decide(on, c, epoch)
	refusal(t, err, ticket.Conflict, "node")
}

func TestEndingAndReopeningKeepTheirReasons(t *testing.T) {
	c := command(ticket.Close)
	c.Note = "done by phone"
	on, events := do(t, in(t, "suspended"), c)
	require.Equal(t, ticket.Closed, events[0].Type)
	require.Equal(t, "done by phone", events[0].Note)
	require.True(t, *events[0].Before.Suspended)
	require.False(t, on.Suspended, "an ended ticket is not suspended")
	require.Equal(t, "done by phone", on.Reason)

	back := command(ticket.Reopen)
	back.Note = "not done"
	on, events = do(t, on, back)
	require.Equal(t, ticket.Reopened, events[0].Type)
	require.Equal(t, "done by phone", *events[0].Before.Reason)
	require.Equal(t, "not done", on.Reason)
	require.Equal(t, ticket.Triggered, on.Status)
	on, _ = do(t, on, command(ticket.Accept))
	require.Equal(t, ticket.Acknowledged, on.Status, "a reopened ticket runs again")
}

func TestAnybodyWithdrawsATicketWithoutAnOpener(t *testing.T) {
	d := draft()
	d.Opener = ""
	on, events := open(t, d)
	require.Equal(t, "demo", events[0].Actor, "the app acts where no person is named")
	on, _ = do(t, on, command(ticket.Withdraw))
	require.Equal(t, ticket.Revoked, on.Status)
}

func TestARelationIsReplacedAsAWhole(t *testing.T) {
	on := in(t, "triggered")
	c := command(ticket.Relate)
	c.Relation.Content = []string{"b", "a", "b", "a"}
	on, events := do(t, on, c)
	require.Equal(t, []string{"b", "a"}, events[0].After.Relation.Content, "duplicates collapse, order is kept")
	require.Nil(t, events[0].Before.Relation)
	require.Equal(t, 2, on.Relations[0].Count)

	c.Relation.Content = []string{"b", "a", "a"}
	_, events = do(t, on, c)
	require.Empty(t, events, "no change, no event")

	c.Relation.Content = []string{"a", "b"}
	on, events = do(t, on, c)
	require.Len(t, events, 1, "another order is a change")
	require.Equal(t, "manifest", events[0].Before.Relation.Type)

	c.Relation.Content = []string{}
	on, _ = do(t, on, c)
	require.Equal(t, 0, on.Relations[0].Count)
	_, events = do(t, on, c)
	require.Empty(t, events)
}

func TestRelatedItemsHaveALimitInAll(t *testing.T) {
	c := command(ticket.Relate)
	c.Relation = &ticket.Relation{Type: "a", Content: items(6_000, "x")}
	on, _ := do(t, in(t, "triggered"), c)
	c.Relation = &ticket.Relation{Type: "b", Content: items(4_001, "x")}
	_, err := ticket.Decide(on, c, epoch)
	refusal(t, err, ticket.Invalid, "content")
	c.Relation = &ticket.Relation{Type: "b", Content: append(items(4_000, "x"), "x0")}
	on, _ = do(t, on, c)
	c.Relation = &ticket.Relation{Type: "a", Content: items(6_000, "y")}
	on, _ = do(t, on, c)
	c.Relation = &ticket.Relation{Type: "c", Content: []string{"one more"}}
	_, err = ticket.Decide(on, c, epoch)
	refusal(t, err, ticket.Invalid, "content")

	c.Relation = &ticket.Relation{Type: "a", Content: items(10_001, "y")}
	_, err = ticket.Decide(on, c, epoch)
	refusal(t, err, ticket.Invalid, "content")
}

func TestTypesOfRelationsHaveALimit(t *testing.T) {
	on := in(t, "triggered")
	for i := range ticket.MaxRelations {
		c := command(ticket.Relate)
		c.Relation = &ticket.Relation{Type: fmt.Sprintf("t%d", i)}
		on, _ = do(t, on, c)
	}
	c := command(ticket.Relate)
	c.Relation = &ticket.Relation{Type: "one-more"}
	_, err := ticket.Decide(on, c, epoch)
	refusal(t, err, ticket.Invalid, "type")
	c.Relation = &ticket.Relation{Type: "t0", Content: []string{"x"}}
	_, events := do(t, on, c)
	require.Len(t, events, 1, "those it has can still be replaced")
}

func TestAnEventTooLargeToTravelIsRefused(t *testing.T) {
	big := make([]string, 10_000)
	for i := range big {
		big[i] = fmt.Sprintf("%05d", i) + strings.Repeat("<", 40) // six bytes each in JSON
	}
	c := command(ticket.Relate)
	c.Relation.Content = big
	_, err := ticket.Decide(in(t, "triggered"), c, epoch)
	refusal(t, err, ticket.Invalid, "content")
	d := draft()
	d.Relations = []ticket.Relation{{Type: "manifest", Content: big}}
	require.NoError(t, check(d))
	_, err = ticket.Open(d, identity, "op", epoch)
	refusal(t, err, ticket.Invalid, "relations")
}

func TestAMessageIsSaidOnceAndRevised(t *testing.T) {
	on, events := do(t, in(t, "triggered"), command(ticket.Say))
	require.Equal(t, ticket.Message{ID: "m1", Author: "li", Content: "hello"}, *events[0].After.Message)
	_, err := ticket.Decide(on, command(ticket.Say), epoch)
	refusal(t, err, ticket.Conflict, "id")

	_, events = do(t, on, command(ticket.Revise))
	require.Empty(t, events, "no change, no event")
	c := command(ticket.Revise)
	c.Message.Author = "zhao"
	revised, events := do(t, on, c)
	require.Len(t, events, 1, "another author is a change")
	require.Equal(t, "m1", events[0].Before.Message.ID, "the read model completes the earlier author and text")
	require.Len(t, revised.Messages, 1)
	_, events = do(t, revised, c)
	require.Empty(t, events)
	c.Message.ID = "m2"
	_, err = ticket.Decide(on, c, epoch)
	refusal(t, err, ticket.NotFound, "")
}

func TestMessagesHaveALimit(t *testing.T) {
	on := in(t, "triggered")
	say := func(i int) ticket.Command {
		c := command(ticket.Say)
		c.Message.ID = fmt.Sprintf("m%d", i)
		return c
	}
	for i := range ticket.MaxMessages {
		on, _ = do(t, on, say(i))
	}
	_, err := ticket.Decide(on, say(ticket.MaxMessages), epoch)
	refusal(t, err, ticket.Conflict, "")
	c := say(0)
	c.Action, c.Message.Content = ticket.Revise, "better"
	_, events := do(t, on, c)
	require.Len(t, events, 1, "a full conversation can still be revised")
}

func TestCommandsNameWhatIsWrong(t *testing.T) {
	for name, test := range map[string]struct {
		action ticket.Action
		change func(*ticket.Command)
		field  string
	}{
		"operator too long":     {ticket.Accept, func(c *ticket.Command) { c.Operator = chars(256) }, "operator"},
		"operator on two lines": {ticket.Accept, func(c *ticket.Command) { c.Operator = "a\nb" }, "operator"},
		"operator not UTF-8":    {ticket.Accept, func(c *ticket.Command) { c.Operator = "a\xff" }, "operator"},
		"node too long":         {ticket.Accept, func(c *ticket.Command) { c.Node = chars(256) }, "node"},
		"reason too long":       {ticket.Close, func(c *ticket.Command) { c.Note = chars(1_001) }, "reason"},
		"reason with NUL":       {ticket.Close, func(c *ticket.Command) { c.Note = "a\x00" }, "reason"},
		"note beside a message": {ticket.Say, func(c *ticket.Command) { c.Note = chars(1_001) }, "reason"},
		"no solution":           {ticket.CommitSolution, func(c *ticket.Command) { c.Solution = nil }, "mtm_type"},
		"no kind of solution":   {ticket.CommitSolution, func(c *ticket.Command) { c.Solution.Type = "" }, "mtm_type"},
		"cause blank":           {ticket.CommitSolution, func(c *ticket.Command) { c.Solution.Cause = " \n" }, "cause"},
		"cause too long":        {ticket.CommitSolution, func(c *ticket.Command) { c.Solution.Cause = chars(10_001) }, "cause"},
		"solution too long":     {ticket.CommitSolution, func(c *ticket.Command) { c.Solution.Text = chars(10_001) }, "solution"},
		"no verdict":            {ticket.Confirm, func(c *ticket.Command) { c.Verdict = nil }, "virtual_confirm_result"},
		"no comment":            {ticket.Confirm, func(c *ticket.Command) { c.Verdict.Comment = "" }, "virtual_confirm_comment"},
		"comment too long":      {ticket.Confirm, func(c *ticket.Command) { c.Verdict.Comment = chars(301) }, "virtual_confirm_comment"},
		"no relation":           {ticket.Relate, func(c *ticket.Command) { c.Relation = nil }, "content"},
		"relation type":         {ticket.Relate, func(c *ticket.Command) { c.Relation.Type = "a b" }, "type"},
		"relation item":         {ticket.Relate, func(c *ticket.Command) { c.Relation.Content = []string{"a", ""} }, "content[1]"},
		"relation item long":    {ticket.Relate, func(c *ticket.Command) { c.Relation.Content = []string{chars(256)} }, "content[0]"},
		"no message":            {ticket.Say, func(c *ticket.Command) { c.Message = nil }, "id"},
		"message empty":         {ticket.Say, func(c *ticket.Command) { c.Message.Content = "" }, "content"},
		"message too long":      {ticket.Revise, func(c *ticket.Command) { c.Message.Content = chars(10_001) }, "content"},
		"author too long":       {ticket.Say, func(c *ticket.Command) { c.Message.Author = chars(256) }, "author"},
		"no author":             {ticket.Say, func(c *ticket.Command) { c.Message.Author = "" }, "author"},
		"no action":             {"", func(*ticket.Command) {}, "action"},
	} {
		t.Run(name, func(t *testing.T) {
			c := command(test.action)
			test.change(&c)
			err := c.Check()
			refusal(t, err, ticket.Invalid, test.field)
			_, decided := ticket.Decide(in(t, "triggered"), c, epoch)
			require.Equal(t, err, decided)
		})
	}
	c := ticket.Command{Action: ticket.CommitSolution, Operator: "a\tb", Solution: &ticket.Solution{Cause: chars(10_001)}}
	text := c.Check().Error()
	for _, field := range []string{"operator", "mtm_type", "cause", "solution"} {
		require.Contains(t, text, field, "several faults come at once")
	}
}

func TestTextsCountCharactersNotBytes(t *testing.T) {
	c := command(ticket.CommitSolution)
	c.Solution = &ticket.Solution{Type: chars(255), Cause: chars(10_000), Text: chars(10_000)}
	require.NoError(t, c.Check())
	c = command(ticket.Confirm)
	c.Verdict.Comment = chars(300)
	require.NoError(t, c.Check())
	c = command(ticket.Say)
	c.Message = &ticket.Message{ID: strings.Repeat("m", 64), Author: chars(255), Content: chars(10_000)}
	require.NoError(t, c.Check())
	c = command(ticket.Close)
	c.Note, c.Operator = chars(1_000), chars(255)
	require.NoError(t, c.Check())
	c = command(ticket.Relate)
	c.Relation = &ticket.Relation{Type: "A-z_0.9", Content: []string{chars(255)}}
	require.NoError(t, c.Check())
}

func TestARefusedSignalCannotHarmTheTimeline(t *testing.T) {
	on := in(t, "triggered")
	c := command(ticket.Accept)
	c.Operator = "a\x00b\n" + strings.Repeat("x", 1<<20)
	c.Channel = ticket.ChannelSignal
	e := ticket.Refused(on, c, errors.New("bad\xff\x00 "+chars(2_000)), epoch.Add(time.Hour))
	for text, max := range map[string]int{e.Actor: ticket.MaxName, e.Note: ticket.MaxReason} {
		require.True(t, utf8.ValidString(text))
		require.False(t, strings.ContainsFunc(text, unicode.IsControl))
		require.LessOrEqual(t, utf8.RuneCountInString(text), max)
	}
	require.True(t, strings.HasPrefix(e.Note, "accept: bad"))
	after := ticket.Evolve(on, e)
	require.Equal(t, on.Phase(), after.Phase())
	require.Equal(t, on.Seq+1, after.Seq)
	require.Equal(t, ticket.ChannelSignal, e.Channel)

	// A machine whose clock is behind acts next.
	events, err := ticket.Decide(after, command(ticket.Accept), epoch)
	require.NoError(t, err)
	require.False(t, events[0].At.Before(e.At), "a timeline never runs backwards")
}

func TestAServiceThatThisBuildDoesNotKnow(t *testing.T) {
	for _, phase := range []string{"triggered", "completed"} {
		on := in(t, phase)
		on.Service = "newer"
		require.Nil(t, on.Nodes())
		action := ticket.Accept
		if on.Ended() {
			action = ticket.Reopen
		}
		_, err := ticket.Decide(on, command(action), epoch)
		refusal(t, err, ticket.Unavailable, "")
	}
}
