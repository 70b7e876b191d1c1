package ticket_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/ticket"
)

// What comes of a request has its hops; what comes of nobody's has those of what came before, and a request without any begins anew.
func TestEventsHaveTheHopsOfWhatCausedThem(t *testing.T) {
	d := draft()
	d.Hops = 2
	events, err := ticket.Open(d, identity, "op", epoch)
	require.NoError(t, err)
	require.Equal(t, 2, events[0].Hops)
	s := ticket.Fold(ticket.Ticket{}, events)
	require.Equal(t, 2, s.Hops)
	for _, hops := range []int{7, 0} {
		say := ticket.Command{Action: ticket.Say, Operator: "li", Channel: ticket.ChannelIssue, Hops: hops, Message: &ticket.Message{ID: "m" + string(rune('a'+hops)), Author: "li", Content: "x"}}
		events, err = ticket.Decide(s, say, epoch)
		require.NoError(t, err)
		require.Equal(t, hops, events[0].Hops)
		s = ticket.Fold(s, events)
		require.Equal(t, hops, s.Hops)
	}
	refused := ticket.Refused(s, ticket.Command{Action: ticket.Accept}, ticket.Refuse(ticket.Conflict, "no"), epoch)
	require.Equal(t, s.Hops, ticket.Evolve(s, refused).Hops)
}
