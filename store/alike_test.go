package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/notice"
)

func TestSubscriptionsOfTheSameAreFound(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		gs, b1 := b.follow(notice.Filter{Topic: "gs"}), b.follow(notice.Filter{Topic: "gs", Key: "b.1"})
		b.followAs("b", notice.FormatEvent, notice.Filter{Topic: "gs"})
		own, err := b.Register(t.Context(), b.opened("a", draft("x")).ticket, notice.Subscription{URL: hook})
		require.NoError(t, err)
		require.NotEmpty(t, own.ID, "a ticket's own is told of other things")
		for f, want := range map[notice.Filter][]string{
			{}: {gs.ID, b1.ID}, {Topic: "gs", Key: "a.*"}: {gs.ID}, {Topic: "x"}: nil, {Key: "b.*"}: {gs.ID, b1.ID},
		} {
			alike, err := b.Alike(t.Context(), notice.Subscription{ID: "new", Tenant: "a", URL: hook, Filter: f})
			require.NoError(t, err)
			require.ElementsMatch(t, want, alike, "%+v", f)
		}
		for range 12 {
			b.follow(notice.Filter{})
		}
		alike, err := b.Alike(t.Context(), gs)
		require.NoError(t, err)
		require.Len(t, alike, 10)
		require.NotContains(t, alike, gs.ID)
	})
}
