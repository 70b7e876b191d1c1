package store_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/ticket"
)

func TestViews(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		add := func(tenant, owner, name string) ticket.View {
			v, err := b.AddView(t.Context(), ticket.View{Tenant: tenant, Owner: owner, Name: name, Query: "status=OPEN&tag=" + name})
			require.NoError(t, err)
			return v
		}
		names := func(tenant, person string) (out []string) {
			list, err := b.Views(t.Context(), tenant, person)
			require.NoError(t, err)
			for _, v := range list {
				out = append(out, v.Owner+":"+v.Name)
			}
			return out
		}
		mine, shared := add("a", "li", "two"), add("a", "", "one")
		add("a", "li", "一")
		add("a", "wang", "two")
		add("b", "li", "other")
		require.Equal(t, []string{"li:two", "li:一", ":one"}, names("a", "li"))
		require.Equal(t, []string{":one"}, names("a", "nobody"))
		require.Empty(t, names("c", "li"))

		got, err := b.View(t.Context(), "a", "li", mine.ID)
		require.NoError(t, err)
		require.Equal(t, mine, got)
		for _, who := range [][2]string{{"a", "wang"}, {"b", "li"}, {"a", ""}} {
			_, err = b.View(t.Context(), who[0], who[1], mine.ID)
			require.True(t, ticket.Is(err, ticket.NotFound), who)
			require.True(t, ticket.Is(b.DeleteView(t.Context(), who[0], who[1], mine.ID), ticket.NotFound), who)
			require.True(t, ticket.Is(b.ChangeView(t.Context(), ticket.View{ID: mine.ID, Tenant: who[0], Owner: who[1], Name: "x"}), ticket.NotFound), who)
		}
		_, err = b.View(t.Context(), "a", "wang", shared.ID)
		require.NoError(t, err)

		_, err = b.AddView(t.Context(), ticket.View{Tenant: "a", Owner: "li", Name: "two"})
		require.True(t, ticket.Is(err, ticket.Conflict), err)
		mine.Name = "一"
		require.True(t, ticket.Is(b.ChangeView(t.Context(), mine), ticket.Conflict))
		mine.Name, mine.Query = "three", ""
		require.NoError(t, b.ChangeView(t.Context(), mine))
		require.Equal(t, []string{"li:three", "li:一", ":one"}, names("a", "li"))
		for field, v := range map[string]ticket.View{"name": {}, "query": {Name: "x", Query: strings.Repeat("x", 5000)}, "owner": {Name: "x", Owner: strings.Repeat("x", 300)}} {
			v.Tenant = "a"
			_, err = b.AddView(t.Context(), v)
			require.Equal(t, field, ticket.AsError(err).Field)
		}
		for i := range ticket.MaxViews - 2 {
			add("a", "li", fmt.Sprint("many ", i))
		}
		_, err = b.AddView(t.Context(), ticket.View{Tenant: "a", Owner: "li", Name: "one more"})
		require.True(t, ticket.Is(err, ticket.TooMany), err)
		require.NoError(t, b.DeleteView(t.Context(), "a", "li", mine.ID))
		add("a", "li", "one more")
	})
}
