package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/notice"
)

func TestALastingSubscriptionHasHeadersAndATimeoutOfItsOwn(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		own := map[string]string{"Authorization": "Bearer s3cret"}
		sub, err := b.Subscribe(t.Context(), notice.Subscription{Tenant: "a", URL: hook, Format: notice.FormatEvent, Profile: notice.Standard, Headers: own,
			Timeout: time.Minute})
		require.NoError(t, err)
		carried := func() notice.Subscription {
			b.publish(seed())
			works := b.pending()
			return works[len(works)-1].Subscription
		}
		amend := func(change func(*notice.Subscription)) {
			_, err := b.Amend(t.Context(), "a", sub.ID, func(s notice.Subscription) (notice.Subscription, error) {
				require.Nil(t, s.Headers, "who changes it is not shown them")
				change(&s)
				return s, nil
			})
			require.NoError(t, err)
		}
		require.Equal(t, []any{own, time.Minute}, []any{carried().Headers, carried().Timeout})
		require.Zero(t, b.count(`SELECT COUNT(*) FROM subscriptions WHERE headers LIKE '%s3cret%' OR headers = ''`), "they are encrypted")

		amend(func(s *notice.Subscription) { s.Timeout = time.Second })
		require.Equal(t, []any{own, time.Second}, []any{carried().Headers, carried().Timeout})
		read, err := b.Registration(t.Context(), notice.Owner{Tenant: "a"}, sub.ID)
		require.NoError(t, err)
		require.Equal(t, []any{map[string]string(nil), time.Second}, []any{read.Headers, read.Timeout})
		amend(func(s *notice.Subscription) { s.Headers = map[string]string{"X-Other": "1"} })
		require.Equal(t, map[string]string{"X-Other": "1"}, carried().Headers)
		amend(func(s *notice.Subscription) { s.Headers = map[string]string{} })
		require.Empty(t, carried().Headers)
	})
}

// A try that was under way when its subscription was paused may last as long as its own time-out, and is not made beside another.
func TestResumingWaitsForATryAsLongAsItMayLast(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		sub, err := b.Subscribe(t.Context(), notice.Subscription{Tenant: "a", URL: hook, Format: notice.FormatEvent, Profile: notice.Standard, Timeout: time.Minute})
		require.NoError(t, err)
		b.publish(seed())
		b.record(b.tried(b.pending()[0], notice.Retrying)) // its lane's workflow begins the next
		b.clock.pass(time.Second)
		b.amend(sub, notice.Paused)
		b.clock.pass(notice.TryLimit + time.Second)
		b.amend(sub, notice.Active)
		require.Equal(t, []notice.DeliveryState{notice.Held}, states(b.deliveries(sub)))
		b.clock.pass(time.Minute)
		for _, id := range b.rest() {
			b.goOnWith(id)
		}
		require.Equal(t, []notice.DeliveryState{notice.Pending}, states(b.deliveries(sub)))
	})
}

func TestANotificationIsReachedAsItsOwnerSays(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s := b.opened("a", draft("x"))
		register := func(want notice.Subscription) notice.Subscription {
			want.URL = hook
			sub, err := b.Register(t.Context(), s.ticket, want)
			require.NoError(t, err)
			require.Equal(t, []any{map[string]string(nil), (*notice.TLS)(nil)}, []any{sub.Headers, sub.TLS}, "nobody asked for them")
			return sub
		}
		carried := func() notice.Subscription {
			b.project(s, s.relate("manifest", b.id())...)
			works := b.pending()
			require.NotEmpty(t, works)
			return works[len(works)-1].Subscription
		}
		own := &notice.TLS{CA: "t0ken ca", Certificate: "t0ken cert", Key: "t0ken key"}
		trust := notice.Trust{CA: []notice.Certificate{{SHA256: "ab", Expires: epoch}}}
		sub := register(notice.Subscription{Headers: map[string]string{"Authorization": "t0ken"}, Timeout: time.Minute, TLS: own, Trust: trust})
		got := carried()
		require.Equal(t, []any{map[string]string{"Authorization": "t0ken"}, time.Minute, own}, []any{got.Headers, got.Timeout, got.TLS})
		require.Zero(t, b.count(`SELECT COUNT(*) FROM subscriptions WHERE headers LIKE '%t0ken%' OR tls LIKE '%t0ken%' OR trust LIKE '%t0ken%' OR tls = ''`), "they are encrypted")
		read, err := b.Registration(t.Context(), ownerOf(s.ticket), sub.ID)
		require.NoError(t, err)
		require.Equal(t, []any{trust, true, time.Minute}, []any{read.Trust, read.HasHeaders, read.Timeout})

		require.Equal(t, sub.ID, register(notice.Subscription{}).ID)
		got = carried()
		require.Equal(t, []any{map[string]string{"Authorization": "t0ken"}, time.Minute, own}, []any{got.Headers, got.Timeout, got.TLS}, "what is left out stays")
		require.Equal(t, sub.ID, register(notice.Subscription{Headers: map[string]string{}, Timeout: time.Second, TLS: &notice.TLS{}}).ID)
		got = carried()
		require.Empty(t, got.Headers)
		require.Equal(t, []any{time.Second, (*notice.TLS)(nil)}, []any{got.Timeout, got.TLS})
		read, err = b.Registration(t.Context(), ownerOf(s.ticket), sub.ID)
		require.NoError(t, err)
		require.Equal(t, []any{true, false}, []any{read.Trust.None(), read.HasHeaders})

		register(notice.Subscription{TLS: own, Trust: trust})
		require.NoError(t, b.Unsubscribe(t.Context(), ownerOf(s.ticket), sub.ID))
		require.Zero(t, b.count(`SELECT COUNT(*) FROM subscriptions WHERE tls <> ''`), "what is secret goes at once")
	})
}
