package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/ticket"
)

func TestARowIsTheFoldOfItsEvents(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		d := draft("清关 blocked at gate 7")
		d.Tags, d.Assignee = []string{"vip", "海关"}, "li"
		d.Relations = []ticket.Relation{{Type: "manifest", Content: []string{"A", "B"}}, {Type: "empty", Content: []string{}}}
		s := b.opened("a", d)
		require.Equal(t, s.ticket, b.read(s))

		b.act(s, ticket.Command{Action: ticket.Accept})
		b.project(s, s.relate("manifest", "B", "C")...)
		b.act(s, ticket.Command{Action: ticket.Say, Message: &ticket.Message{ID: "m1", Author: "li", Content: "first"}})
		b.act(s, ticket.Command{Action: ticket.Revise, Message: &ticket.Message{ID: "m1", Author: "wang", Content: "second"}})
		require.Equal(t, s.ticket, b.read(s))

		relations, err := b.Relations(t.Context(), s.ticket.ID)
		require.NoError(t, err)
		require.Equal(t, []ticket.Relation{{Type: "manifest", Content: []string{"B", "C"}}, {Type: "empty"}}, relations)
		messages, err := b.Messages(t.Context(), s.ticket.ID)
		require.NoError(t, err)
		require.Equal(t, []ticket.MessageRecord{{Message: ticket.Message{ID: "m1", Author: "wang", Content: "second"},
			CreatedAt: s.events[3].At, UpdatedAt: s.events[4].At}}, messages)

		timeline, err := b.Timeline(t.Context(), s.ticket.ID, 0, 100)
		require.NoError(t, err)
		want := append([]ticket.Event(nil), s.events...)
		want[2].Before.Relation = &ticket.Relation{Type: "manifest", Content: []string{"A", "B"}}
		want[4].Before.Message = &ticket.Message{ID: "m1", Author: "li", Content: "first"}
		require.Equal(t, want, timeline)
	})
}
