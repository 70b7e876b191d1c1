package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/notice"
)

// address is what is stored of a subscription's address.
func (b *bench) address(sub notice.Subscription) notice.Address {
	b.t.Helper()
	var a notice.Address
	require.NoError(b.t, b.raw().QueryRow(`SELECT url, host FROM subscriptions WHERE id = '`+sub.ID+`'`).Scan(&a.URL, &a.Host))
	return a
}

func TestAnAddressInAnotherSpellingIsTheSameRegistration(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s := b.opened("a", draft("x"))
		first, err := b.Register(t.Context(), s.ticket, notice.Subscription{URL: "HTTP://例え.JP:80?q=é"})
		require.NoError(t, err)
		for _, same := range []string{"http://xn--r8jz45g.jp/?q=%C3%A9", "http://例え.jp/.?q=%c3%a9", "http://%E4%BE%8Bえ.jp:/?%71=é"} {
			again, err := b.Register(t.Context(), s.ticket, notice.Subscription{URL: same})
			require.NoError(t, err)
			require.Equal(t, first.ID, again.ID, same)
		}
		require.Equal(t, 1, b.count(`SELECT COUNT(*) FROM subscriptions`))
		want := notice.Address{URL: "http://xn--r8jz45g.jp/?q=%C3%A9", Host: "xn--r8jz45g.jp"}
		require.Equal(t, want, b.address(first))
		require.Equal(t, want, notice.Address{URL: first.URL, Host: first.Host})

		all := b.follow(notice.Filter{})
		changed, err := b.Amend(t.Context(), "a", all.ID, func(sub notice.Subscription) (notice.Subscription, error) {
			sub.URL = "HTTPS://Moved.example:8443"
			return sub, nil
		})
		require.NoError(t, err)
		want = notice.Address{URL: "https://moved.example:8443/", Host: "moved.example:8443"}
		require.Equal(t, want, b.address(all))
		require.Equal(t, want, notice.Address{URL: changed.URL, Host: changed.Host})
	})
}

// The version before runs beside this one: it stores addresses as they were given and knows no hosts, and changes the one without the other.
func TestAddressesThatTheVersionBeforeStored(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		store := func(sub notice.Subscription, statement string) {
			t.Helper()
			_, err := b.raw().Exec(`UPDATE subscriptions SET ` + statement + ` WHERE id = '` + sub.ID + `'`)
			require.NoError(t, err)
		}
		s, sub := b.subscribed()
		part := notice.Partition(s.ticket.ID, 16)
		pending := func(hosts ...string) (urls []string) {
			t.Helper()
			works, err := b.outbox.Pending(t.Context(), part, nil, 10, hosts...)
			require.NoError(t, err)
			for _, w := range works {
				require.Equal(t, notice.AddressOf(w.Subscription.URL), notice.Address{URL: w.Subscription.URL, Host: w.Subscription.Host})
				urls = append(urls, w.Subscription.URL)
			}
			return urls
		}
		b.project(s, s.relate("manifest", "1")...)

		store(sub, `url = 'HTTPS://Example.COM?x=1', host = ''`)
		again, err := b.Register(t.Context(), s.ticket, notice.Subscription{URL: "https://example.com/?x=1"})
		require.NoError(t, err)
		require.Equal(t, sub.ID, again.ID)
		require.Equal(t, []string{"https://example.com/?x=1"}, pending("other.example"))
		require.Equal(t, notice.Address{URL: "https://example.com/?x=1", Host: "example.com"}, b.address(sub), "written down when it was met")
		require.Empty(t, pending("example.com"))

		store(sub, `url = 'https://moved.example/'`) // its host is still the one before
		require.Equal(t, []string{"https://moved.example/"}, pending("example.com"), "it does not wait for the host that it left")
		require.Empty(t, pending("moved.example"))

		store(sub, `url = 'http://[fe80::1%25eth0]/', host = ''`) // which is refused by now
		require.Equal(t, []string{"http://[fe80::1%25eth0]/"}, pending("example.com"))
		require.Empty(t, pending("http://[fe80::1%25eth0]/"))

		store(sub, `url = 'HTTPS://Example.COM', host = ''`)
		_, err = b.Migrate(t.Context())
		require.NoError(t, err)
		require.Equal(t, notice.Address{URL: "https://example.com/", Host: "example.com"}, b.address(sub))

		// One that was dropped is succeeded in whatever spelling.
		store(sub, `url = 'HTTPS://Example.COM', host = '', state = 'dropped'`)
		second, err := b.Register(t.Context(), s.ticket, notice.Subscription{URL: "https://example.com/"})
		require.NoError(t, err)
		require.NotEqual(t, sub.ID, second.ID)
		require.Equal(t, 1, b.count(`SELECT COUNT(*) FROM subscriptions WHERE successor = '`+second.ID+`'`))
		for _, d := range b.deliveries(sub) {
			_, err = b.raw().Exec(`UPDATE deliveries SET state = 'failed', ended_at = created_at WHERE id = '` + d.ID + `'`)
			require.NoError(t, err)
			require.NoError(t, b.Redeliver(t.Context(), ownerOf(s.ticket), sub.ID, d.ID), "and what it was not sent goes there")
		}
		require.Equal(t, []string{"https://example.com/"}, pending())
	})
}
