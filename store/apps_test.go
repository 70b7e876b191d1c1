package store_test

import (
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/store"
	"signalbox/ticket"
)

func demo(code string) desk.App {
	return desk.App{Code: code, Tenant: "a", Scopes: []desk.Scope{desk.Read, desk.Write}}
}

func unauthorized(t *testing.T, err error) {
	t.Helper()
	require.True(t, ticket.Is(err, ticket.Unauthorized), "%v", err)
}

func TestAnAppIsFoundByItsSecret(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		secret, err := b.CreateApp(t.Context(), demo("one"))
		require.NoError(t, err)
		require.Len(t, secret, 43)
		other, err := b.CreateApp(t.Context(), demo("two"))
		require.NoError(t, err)
		for range 2 { // the second answer is remembered
			got, err := b.BySecret(t.Context(), secret)
			require.NoError(t, err)
			require.Equal(t, demo("one"), got)
			got, err = b.ByCode(t.Context(), "one", secret)
			require.NoError(t, err)
			require.Equal(t, demo("one"), got)
			_, err = b.ByCode(t.Context(), "two", secret)
			unauthorized(t, err)
		}
		got, secrets, err := b.Secrets(t.Context(), "two")
		require.NoError(t, err)
		require.Equal(t, demo("two"), got)
		require.Equal(t, []string{other}, secrets)
		for _, wrong := range []string{"", "x", secret + "x", "\x00"} {
			_, err := b.BySecret(t.Context(), wrong)
			unauthorized(t, err)
			_, _, err = b.Secrets(t.Context(), wrong)
			unauthorized(t, err)
		}
		require.Zero(t, b.count(`SELECT COUNT(*) FROM app_secrets WHERE hash LIKE '%`+secret+`%' OR sealed LIKE '%`+secret+`%'`))
		_, err = b.CreateApp(t.Context(), demo("one"))
		require.True(t, ticket.Is(err, ticket.Conflict))
		_, err = b.CreateApp(t.Context(), demo(desk.PagesApp))
		refused(t, err, ticket.Invalid, "code", "is kept for those who act on the pages")
		refused(t, b.EnsureApp(t.Context(), desk.PagesApp, "a long secret", "a", []desk.Scope{desk.Admin}), ticket.Invalid, "code", "is kept")
		apps, err := b.ListApps(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, []desk.App{demo("one"), demo("two")}, apps)
		apps, err = b.ListApps(t.Context(), "b")
		require.NoError(t, err)
		require.Empty(t, apps)
		apps, err = b.ListApps(t.Context(), "")
		require.NoError(t, err)
		require.Len(t, apps, 2)
		for _, bad := range []desk.App{{}, {Code: "a b", Tenant: "a", Scopes: []desk.Scope{desk.Read}}, {Code: "a", Scopes: []desk.Scope{desk.Read}},
			{Code: "a", Tenant: "a"}, {Code: "a", Tenant: "a", Scopes: []desk.Scope{"root"}}} {
			_, err := b.CreateApp(t.Context(), bad)
			require.True(t, ticket.Is(err, ticket.Invalid), "%+v", bad)
		}
	})
}

func TestADisabledAppIsRefusedEverywhereWithinTwoSeconds(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		secret, err := b.CreateApp(t.Context(), demo("one"))
		require.NoError(t, err)
		elsewhere, err := store.Open(t.Context(), b.dsn, store.Options{MasterKey: masterKey, Now: b.clock.Now})
		require.NoError(t, err)
		defer elsewhere.Close()
		for _, s := range []*store.Store{b.Store, elsewhere} {
			_, err := s.BySecret(t.Context(), secret)
			require.NoError(t, err)
			app, err := s.App(t.Context(), "one")
			require.NoError(t, err)
			require.Equal(t, "a", app.Tenant)
		}
		require.NoError(t, b.SetAppDisabled(t.Context(), "one", true))
		_, err = b.BySecret(t.Context(), secret)
		unauthorized(t, err)
		b.clock.pass(2 * time.Second)
		_, err = elsewhere.BySecret(t.Context(), secret)
		unauthorized(t, err)
		_, err = elsewhere.ByCode(t.Context(), "one", secret)
		unauthorized(t, err)
		_, _, err = elsewhere.Secrets(t.Context(), "one")
		unauthorized(t, err)
		_, err = elsewhere.App(t.Context(), "one")
		unauthorized(t, err)
		_, err = elsewhere.App(t.Context(), "nobody")
		unauthorized(t, err)
		apps, err := b.ListApps(t.Context(), "a")
		require.NoError(t, err)
		require.True(t, apps[0].Disabled)
		require.NoError(t, b.SetAppDisabled(t.Context(), "one", false))
		_, err = elsewhere.BySecret(t.Context(), secret)
		require.NoError(t, err)
		require.True(t, ticket.Is(b.SetAppDisabled(t.Context(), "nobody", true), ticket.NotFound))
	})
}

func TestSecretsOverlapInARotation(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		first, err := b.CreateApp(t.Context(), demo("one"))
		require.NoError(t, err)
		valid := func(secrets ...string) {
			t.Helper()
			_, have, err := b.Secrets(t.Context(), "one")
			require.NoError(t, err)
			require.Equal(t, secrets, have)
			for _, s := range []string{first} {
				_, err := b.BySecret(t.Context(), s)
				require.Equal(t, have[len(have)-1] == s, err == nil)
			}
		}
		valid(first)
		b.clock.pass(time.Minute)
		second, err := b.RotateSecret(t.Context(), "one", time.Hour)
		require.NoError(t, err)
		valid(second, first)
		b.clock.pass(time.Hour - time.Microsecond)
		valid(second, first)
		b.clock.pass(time.Microsecond)
		valid(second)
		third, err := b.RotateSecret(t.Context(), "one", 0)
		require.NoError(t, err)
		_, err = b.BySecret(t.Context(), second)
		unauthorized(t, err)
		valid(third)
		_, err = b.RotateSecret(t.Context(), "nobody", 0)
		require.True(t, ticket.Is(err, ticket.NotFound))
		// Less overlap than before ends an older secret earlier; more does not bring it back or prolong it.
		b.clock.pass(time.Second)
		fourth, err := b.RotateSecret(t.Context(), "one", time.Minute)
		require.NoError(t, err)
		b.clock.pass(time.Second)
		fifth, err := b.RotateSecret(t.Context(), "one", time.Hour)
		require.NoError(t, err)
		valid(fifth, fourth, third)
		b.clock.pass(time.Minute - time.Second)
		valid(fifth, fourth)
	})
}

func TestABootstrapAppIsMadeOnce(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		ensure := func(code, secret string) error {
			return b.EnsureApp(background(), code, secret, "default", []desk.Scope{desk.Admin})
		}
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if err := ensure("demo", "demo-secret"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		got, err := b.ByCode(t.Context(), "demo", "demo-secret")
		require.NoError(t, err)
		require.Equal(t, desk.App{Code: "demo", Tenant: "default", Scopes: []desk.Scope{desk.Admin}}, got)

		fresh, err := b.RotateSecret(t.Context(), "demo", 0)
		require.NoError(t, err)
		require.NoError(t, ensure("demo", "demo-secret"))
		_, err = b.BySecret(t.Context(), "demo-secret")
		unauthorized(t, err)
		_, err = b.BySecret(t.Context(), fresh)
		require.NoError(t, err)
		require.NoError(t, ensure("demo", "another-secret"))
		_, err = b.BySecret(t.Context(), "another-secret")
		require.NoError(t, err)
		require.True(t, ticket.Is(ensure("other", "another-secret"), ticket.Conflict))
		require.True(t, ticket.Is(ensure("other", "short"), ticket.Invalid))
		require.Equal(t, 1, b.count(`SELECT COUNT(*) FROM apps`))
	})
}

func TestTheMasterKeyCanBeReplaced(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		secret, err := b.CreateApp(t.Context(), demo("one"))
		require.NoError(t, err)
		s, _ := b.subscribed()
		b.project(s, s.relate("manifest", "1")...)
		part := b.pending()[0].Delivery.Partition
		newKey := []byte("another key of just 32 bytes....")
		for _, c := range []struct {
			old  [][]byte
			open bool
		}{{nil, false}, {[][]byte{masterKey}, true}} {
			elsewhere, err := store.Open(t.Context(), b.dsn, store.Options{MasterKey: newKey, OldKeys: c.old, Now: b.clock.Now})
			require.NoError(t, err)
			_, err = elsewhere.BySecret(t.Context(), secret)
			require.NoError(t, err, "looking a secret up needs no key")
			_, secrets, err := elsewhere.Secrets(t.Context(), "one")
			works, pendingErr := elsewhere.Outbox.Pending(t.Context(), part, nil, 10)
			require.NoError(t, pendingErr)
			if c.open {
				require.NoError(t, err)
				require.Equal(t, []string{secret}, secrets)
				require.Len(t, works, 1)
			} else {
				unauthorized(t, err)
				require.Len(t, works, 1)
				require.NotEmpty(t, works[0].Unsendable, "nothing is sent that cannot be signed")
				require.Empty(t, works[0].Subscription.Secret)
			}
			require.NoError(t, elsewhere.Close())
		}
	})
}

func TestWhatAStoreDoesNotOpenWith(t *testing.T) {
	good := "sqlite:" + filepath.Join(t.TempDir(), "x.db")
	for name, c := range map[string]struct {
		dsn string
		key []byte
		old [][]byte
	}{
		"no key":        {good, nil, nil},
		"a short key":   {good, []byte("short"), nil},
		"a bad old key": {good, masterKey, [][]byte{[]byte("short")}},
		"no address":    {"", masterKey, nil},
		"mysql":         {"mysql://x", masterKey, nil},
		"memory":        {"sqlite::memory:", masterKey, nil},
		"no file":       {"sqlite:", masterKey, nil},
		"no directory":  {"sqlite:/nonexistent/x/y.db", masterKey, nil},
		"nobody there":  {"postgres://u:p@127.0.0.1:1/x?sslmode=disable", masterKey, nil},
		"bad options":   {"postgres://u:p@127.0.0.1:1/x?sslmode=maybe", masterKey, nil},
	} {
		_, err := store.Open(t.Context(), c.dsn, store.Options{MasterKey: c.key, OldKeys: c.old})
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), "u:p@", name)
	}
}

// Whoever looks after apps sees which are used, to ten minutes, and which secrets work.
func TestItIsSeenThatAnAppIsUsed(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		secret, err := b.CreateApp(t.Context(), demo("one"))
		require.NoError(t, err)
		app := demo("two")
		app.Tenant = "b"
		_, err = b.CreateApp(t.Context(), app)
		require.NoError(t, err)
		made := b.clock.Now()
		r, err := b.AppRecord(t.Context(), "a", "one")
		require.NoError(t, err)
		require.Equal(t, desk.AppRecord{App: demo("one"), CreatedAt: made, UpdatedAt: made, Secrets: []desk.AppSecret{{CreatedAt: made}}}, r)
		used := func() time.Time {
			t.Helper()
			list, err := b.AppRecords(t.Context(), "a")
			require.NoError(t, err)
			require.Len(t, list, 1)
			require.NotNil(t, list[0].UsedAt)
			return *list[0].UsedAt
		}
		for _, use := range []func() error{
			func() error { _, err := b.BySecret(t.Context(), secret); return err },
			func() error { _, err := b.App(t.Context(), "one"); return err },
			func() error { _, _, err := b.Secrets(t.Context(), "one"); return err },
		} {
			require.NoError(t, use())
			first := b.clock.Now()
			require.Equal(t, first, used())
			b.clock.pass(desk.UsedEvery - time.Second)
			require.NoError(t, use())
			require.Equal(t, first, used(), "it was written down a moment ago")
			b.clock.pass(time.Second)
		}
		end := b.clock.Now().Add(time.Hour)
		_, err = b.RotateSecret(t.Context(), "one", time.Hour)
		require.NoError(t, err)
		r, err = b.AppRecord(t.Context(), "a", "one")
		require.NoError(t, err)
		require.Equal(t, []desk.AppSecret{{CreatedAt: b.clock.Now()}, {CreatedAt: made, ExpiresAt: &end}}, r.Secrets)
		b.clock.pass(time.Hour)
		r, err = b.AppRecord(t.Context(), "a", "one")
		require.NoError(t, err)
		require.Len(t, r.Secrets, 1)
		for _, c := range [][2]string{{"b", "one"}, {"a", "two"}, {"a", "\x00"}} {
			_, err = b.AppRecord(t.Context(), c[0], c[1])
			require.True(t, ticket.Is(err, ticket.NotFound))
		}
	})
}
