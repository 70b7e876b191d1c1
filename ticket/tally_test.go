package ticket_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/ticket"
)

// What each event of a life comes to, told by hand: each number of an overview begins here.
func TestWhatIsCountedOfALife(t *testing.T) {
	zone := time.FixedZone("east", 8*60*60)
	on, events := open(t, draft())
	epochDay := epoch.In(zone).Format(ticket.DayLayout)
	told := func(before, after ticket.Ticket, events []ticket.Event) (list []string) {
		t.Helper()
		for _, e := range events {
			is := ticket.Evolve(before, e)
			for _, one := range ticket.Happened(before, is, e, zone) {
				require.Equal(t, ticket.ServiceIncident, one.Service)
				list = append(list, fmt.Sprintf("%s %s %s %+d", one.Day, one.What, one.Detail, one.N))
			}
			before = is
		}
		require.Equal(t, after, before)
		return list
	}
	moved := func(before, after ticket.Ticket) (list []string) {
		t.Helper()
		for _, one := range ticket.Moved(before, after, zone) {
			require.Equal(t, ticket.ServiceIncident, one.Service)
			require.Empty(t, one.Day)
			list = append(list, fmt.Sprintf("%s %s %+d", one.What, one.Detail, one.N))
		}
		return list
	}
	require.Equal(t, []string{epochDay + " opened  +1"}, told(ticket.Ticket{}, on, events))
	require.Equal(t, []string{"phase triggered +1", "since " + epochDay + " +1", "node accept +1"}, moved(ticket.Ticket{}, on))

	at := epoch
	for i, step := range []struct {
		command         ticket.Action
		took            time.Duration // since the one before
		happened, moved []string      // the day is that of the event
	}{
		{ticket.Say, time.Minute, nil, nil},
		{ticket.Accept, 90 * time.Minute, []string{"accepted 7 +1"}, []string{"phase triggered -1", "node accept -1", "phase acknowledged +1", "node solve +1"}},
		{ticket.Relate, time.Minute, nil, nil},
		{ticket.Suspend, time.Hour, nil, []string{"phase acknowledged -1", "phase suspended +1"}},
		{ticket.Unsuspend, time.Hour, nil, []string{"phase suspended -1", "phase acknowledged +1"}},
		{ticket.CommitSolution, 3 * time.Hour, nil, []string{"phase acknowledged -1", "node solve -1", "phase resolved +1", "node confirm +1"}},
		{ticket.Confirm, 24 * time.Hour, []string{"closed  +1", "completed 12 +1"}, []string{"phase resolved -1", "since " + epochDay + " -1", "node confirm -1"}},
		{ticket.Say, time.Hour, nil, nil},
	} {
		at = at.Add(step.took)
		c := command(step.command)
		if c.Message != nil {
			c.Message.ID = fmt.Sprint("m", i)
		}
		events, err := ticket.Decide(on, c, at)
		require.NoError(t, err, step.command)
		after := ticket.Fold(on, events)
		var happened []string
		for _, one := range step.happened {
			happened = append(happened, at.In(zone).Format(ticket.DayLayout)+" "+one)
		}
		require.Equal(t, happened, told(on, after, events), step.command)
		require.Equal(t, step.moved, moved(on, after), step.command)
		on = after
	}
	require.Nil(t, moved(ticket.Ticket{}, on), "it stands nowhere")
}
