package store_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/flow"
	"signalbox/notice"
	"signalbox/store"
	"signalbox/ticket"
)

// published makes sure of the service leave of a tenant.
func (b *bench) published(tenant string) flow.Definition {
	b.t.Helper()
	def, err := b.PublishService(b.t.Context(), tenant, "demo", parsed(b.t, leave))
	require.NoError(b.t, err)
	return def
}

// signs is what the requests of a tenant's service leave are signed with, the secret in force first.
func (b *bench) signs(tenant string) []string {
	b.t.Helper()
	secret, older, err := b.CallSecrets(b.t.Context(), ticket.Identity{Tenant: tenant}, "leave")
	require.NoError(b.t, err)
	require.NoError(b.t, notice.CheckSecret("secret", secret))
	return append([]string{secret}, older...)
}

func TestTwoWhoNeedAServicesFirstSecretHaveOne(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		b.published("a")
		elsewhere, err := store.Open(t.Context(), b.dsn, store.Options{MasterKey: masterKey, Now: b.clock.Now})
		require.NoError(t, err)
		defer elsewhere.Close()
		secrets := make([]string, 20)
		var ready, wait sync.WaitGroup
		ready.Add(len(secrets))
		for i := range secrets {
			process := []*store.Store{b.Store, elsewhere}[i%2]
			wait.Go(func() {
				ready.Done()
				ready.Wait()
				secret, older, err := process.CallSecrets(t.Context(), ticket.Identity{Tenant: "a"}, "leave")
				if err != nil || len(older) > 0 {
					t.Errorf("%v, %d earlier", err, len(older))
				}
				secrets[i] = secret
			})
		}
		wait.Wait()
		require.Len(t, slices.Compact(secrets), 1)
		require.Equal(t, secrets[:1], b.signs("a"))
		require.Zero(t, b.count(`SELECT COUNT(*) FROM services WHERE secret LIKE '%whsec%' OR secret = ''`), "sealed")

		again := parsed(t, strings.Replace(leave, "name: 审批", "name: Lead", 1))
		_, err = b.PublishService(t.Context(), "a", "demo", again)
		require.NoError(t, err)
		require.Equal(t, secrets[:1], b.signs("a"), "all versions have one")
	})
}

func TestAServicesSecretIsReplacedWhileTheOneBeforeStillSigns(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		b.published("a")
		b.published("b")
		fresh, err := b.RotateService(t.Context(), "b", "leave")
		require.NoError(t, err)
		require.Equal(t, []string{fresh}, b.signs("b"), "there was none before that could sign on")

		first := b.signs("a")[0]
		b.clock.pass(time.Hour)
		second, err := b.RotateService(t.Context(), "a", "leave")
		require.NoError(t, err)
		require.Equal(t, []string{second, first}, b.signs("a"))
		b.clock.pass(24*time.Hour - time.Microsecond)
		require.Equal(t, []string{second, first}, b.signs("a"))
		b.clock.pass(time.Microsecond)
		require.Equal(t, []string{second}, b.signs("a"))
		require.Equal(t, []string{fresh}, b.signs("b"), "another tenant's is another")
		require.Zero(t, b.count(`SELECT COUNT(*) FROM services WHERE secret LIKE '%whsec%' OR older LIKE '%whsec%'`), "sealed")

		for range 4 {
			_, err := b.RotateService(t.Context(), "a", "leave")
			require.NoError(t, err)
		}
		_, err = b.RotateService(t.Context(), "a", "leave")
		require.True(t, ticket.Is(err, ticket.TooMany))

		for key, want := range map[string]ticket.Code{flow.ServiceIncident: ticket.Conflict, "nothing": ticket.NotFound, "": ticket.NotFound, "\xff\x00": ticket.NotFound} {
			_, err := b.RotateService(t.Context(), "a", key)
			require.True(t, ticket.Is(err, want), "%s: %v", key, err)
		}
		_, err = b.RotateService(t.Context(), "c", "leave")
		require.True(t, ticket.Is(err, ticket.NotFound), "another tenant's: %v", err)
	})
}

// What asks without the service's key is an input that an earlier build wrote.
func TestTheSecretOfATicketsService(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		def := b.published("a")
		d := draft("x")
		d.Service, d.Opener, d.Definition = "leave", "li", &def
		s := b.opened("a", d)
		secret, _, err := b.CallSecrets(t.Context(), s.ticket.Identity, "")
		require.NoError(t, err)
		require.Equal(t, b.signs("a"), []string{secret})
		for _, id := range []ticket.Identity{{Tenant: "b", Number: s.ticket.Number}, {Tenant: "a", Number: "IM1"}} {
			_, _, err := b.CallSecrets(t.Context(), id, "")
			require.True(t, ticket.Is(err, ticket.NotFound), err)
		}
		for _, service := range []string{"nothing", flow.ServiceIncident} {
			_, _, err := b.CallSecrets(t.Context(), s.ticket.Identity, service)
			require.True(t, ticket.Is(err, ticket.NotFound), err)
		}
	})
}

// Somebody with access to the database cannot have one service sign with the secret of another.
func TestASealedSecretOfAServiceOpensForItAlone(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		b.published("a")
		b.published("b")
		b.signs("a")
		_, err := b.raw().Exec(`UPDATE services SET secret = (SELECT secret FROM services WHERE tenant = 'a') WHERE tenant = 'b'`)
		require.NoError(t, err)
		secret, _, err := b.CallSecrets(t.Context(), ticket.Identity{Tenant: "b"}, "leave")
		require.Error(t, err)
		require.Empty(t, secret)

		elsewhere, err := store.Open(t.Context(), b.dsn, store.Options{MasterKey: []byte("another key of just 32 bytes...."), Now: b.clock.Now})
		require.NoError(t, err)
		defer elsewhere.Close()
		_, _, err = elsewhere.CallSecrets(t.Context(), ticket.Identity{Tenant: "a"}, "leave")
		require.ErrorContains(t, err, "key that is not here")
	})
}

func TestTheSecretOfAnAddressIsReplaced(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s, sub := b.subscribed()
		b.project(s, s.relate("manifest", "A")...)
		loaded := func() notice.Subscription { t.Helper(); return b.pending()[0].Subscription }
		first := loaded().Secret
		b.clock.pass(time.Hour)
		second, err := b.Rotate(t.Context(), ownerOf(s.ticket), sub.ID)
		require.NoError(t, err)
		require.NoError(t, notice.CheckSecret("secret", second))
		require.Equal(t, second, loaded().Secret)
		require.Equal(t, []string{first}, loaded().Older)
		b.clock.pass(24 * time.Hour)
		require.Equal(t, second, loaded().Secret)
		require.Empty(t, loaded().Older)
		require.Zero(t, b.count(`SELECT COUNT(*) FROM subscriptions WHERE secret LIKE '%whsec%' OR older LIKE '%whsec%'`), "sealed")

		other, lasting := b.opened("a", draft("y")), b.follow(notice.Filter{Source: "never"})
		for _, c := range []struct {
			ticket ticket.Ticket
			sub    string
		}{{other.ticket, sub.ID}, {s.ticket, "nothing"}, {s.ticket, lasting.ID}} {
			_, err := b.Rotate(t.Context(), ownerOf(c.ticket), c.sub)
			require.True(t, ticket.Is(err, ticket.NotFound), "%v: %v", c, err)
		}
		for range 4 {
			_, err := b.Rotate(t.Context(), ownerOf(s.ticket), sub.ID)
			require.NoError(t, err)
		}
		_, err = b.Rotate(t.Context(), ownerOf(s.ticket), sub.ID)
		require.True(t, ticket.Is(err, ticket.TooMany))

		b.clock.pass(24 * time.Hour)
		last := b.tried(b.pending()[0], notice.Failed)
		last.Drop = "failed 11 times"
		b.record(last)
		_, err = b.Rotate(t.Context(), ownerOf(s.ticket), sub.ID)
		require.True(t, ticket.Is(err, ticket.Conflict))
		require.ErrorContains(t, err, "registered again")
		require.NoError(t, b.Unsubscribe(t.Context(), ownerOf(s.ticket), sub.ID))
		_, err = b.Rotate(t.Context(), ownerOf(s.ticket), sub.ID)
		require.True(t, ticket.Is(err, ticket.NotFound))
	})
}

// Rotations at once, and a first use beside them, lose no secret that was told to somebody.
func TestRotatingAtOnce(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		b.published("a")
		var wait sync.WaitGroup
		told := make([]string, 4)
		for i := range told {
			wait.Go(func() {
				if _, _, err := b.CallSecrets(t.Context(), ticket.Identity{Tenant: "a"}, "leave"); err != nil {
					t.Error(err)
				}
			})
			wait.Go(func() {
				var err error
				if told[i], err = b.RotateService(t.Context(), "a", "leave"); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		require.Subset(t, b.signs("a"), told)
	})
}
