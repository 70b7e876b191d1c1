package incident

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/ticket"
)

func TestHistoriesNameEveryEvent(t *testing.T) {
	han := regexp.MustCompile(`\p{Han}`)
	for _, kind := range ticket.Types {
		e := entryOf(ticket.Ticket{}, ticket.Event{Type: kind})
		if !han.MatchString(e.ActionNameZh) || e.ActionNameEn == "" || e.ActionNameEn == string(kind) || e.Action == "" {
			t.Errorf("the incident family has no name for the event %q", kind)
		}
		require.Equal(t, string(kind), e.SubAction)
	}
	named := func(kind ticket.Type) [3]string {
		e := entryOf(ticket.Ticket{}, ticket.Event{Type: kind})
		return [3]string{e.Action, e.ActionNameZh, e.ActionNameEn}
	}
	require.Equal(t, [3]string{"approve", "审批通过", "Approve"}, named(ticket.Approved))
	require.Equal(t, [3]string{"reject", "审批拒绝", "Reject"}, named(ticket.Rejected))
	require.Equal(t, [3]string{"acceptedIncident1", "受理", "Accept"}, named(ticket.Accepted))
	require.Equal(t, [3]string{"new", "new", "new"}, named("new"), "of a newer build")
}
