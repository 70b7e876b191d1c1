package store_test

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/notice"
	"signalbox/people"
	"signalbox/store"
	"signalbox/store/vault"
	"signalbox/ticket"
)

// sealedText is the shape of what is sealed: the id of its key, and base64.
var sealedText = regexp.MustCompile(`\b([0-9a-f]{8}|[0-9a-f]{16})\.[A-Za-z0-9+/]{38,}`)

// seals gives, of everything in the database, which columns hold sealed text and under which keys, by table.column.
func (b *bench) seals() map[string][]string {
	b.t.Helper()
	found := map[string][]string{}
	b.cells(func(table, column, text string) {
		for _, m := range sealedText.FindAllStringSubmatch(text, -1) {
			at := table + "." + column
			if !slices.Contains(found[at], m[1]) {
				found[at] = append(found[at], m[1])
			}
		}
	})
	return found
}

// secrets is what a store that can read everything reads.
type secrets struct {
	apps      map[string][]string
	services  map[string][]string
	delivered map[string]notice.Work // by subscription
	token     string
	keys      map[vault.Purpose][]vault.DataKey
}

// fill gives the database some of everything that is sealed, and tells of which apps and tenants, and which request was answered with a secret.
func (b *bench) fill() (apps, tenants []string, told desk.Operation) {
	t := b.t
	for _, code := range []string{"one", "two", "three"} {
		_, err := b.CreateApp(t.Context(), demo(code))
		require.NoError(t, err)
		_, err = b.RotateSecret(t.Context(), code, time.Hour)
		require.NoError(t, err)
	}
	for _, tenant := range []string{"a", "b", "c"} {
		b.published(tenant)
		b.signs(tenant)
		for range 2 {
			_, err := b.RotateService(t.Context(), tenant, "leave")
			require.NoError(t, err)
		}
	}
	_, err := b.ChangePerson(t.Context(), "a", "app", people.Key{ID: "ada"}, func(had people.PersonRecord, _ bool) (people.PersonRecord, error) {
		had.ID, had.Active, had.Chats = "ada", true, []people.Chat{{Network: "slack", Webhook: "https://hooks.example.com/secret"}}
		return had, nil
	})
	require.NoError(t, err)
	lasting, err := b.Subscribe(t.Context(), notice.Subscription{Tenant: "a", URL: hook, Format: notice.FormatEvent, Profile: notice.Standard, TLS: &notice.TLS{CA: "an authority"}})
	require.NoError(t, err)
	for range 2 {
		_, err = b.Rotate(t.Context(), notice.Owner{Tenant: "a"}, lasting.ID)
		require.NoError(t, err)
	}
	s := b.opened("a", asked("1", "w", "x"))
	_, err = b.Register(t.Context(), s.ticket, notice.Subscription{URL: hook})
	require.NoError(t, err)
	b.act(s, ticket.Command{Action: ticket.Close})
	op := b.operation("secret")
	_, _, err = b.ledger.Transact(t.Context(), op, func(context.Context) (desk.Answer, error) {
		return desk.Answer{Status: 200, Body: json.RawMessage(`{"secret":"whsec_told"}`), Secret: true}, nil
	})
	require.NoError(t, err)
	return []string{"one", "two", "three"}, []string{"a", "b", "c"}, op
}

// secrets reads everything that fill left.
func (b *bench) secrets(s *store.Store, apps, tenants []string, op desk.Operation) secrets {
	t := b.t
	t.Helper()
	out := secrets{apps: map[string][]string{}, services: map[string][]string{}, delivered: map[string]notice.Work{}, keys: map[vault.Purpose][]vault.DataKey{}}
	for _, code := range apps {
		_, list, err := s.Secrets(t.Context(), code)
		require.NoError(t, err)
		require.Len(t, list, 2)
		out.apps[code] = list
	}
	for _, tenant := range tenants {
		secret, older, err := s.CallSecrets(t.Context(), ticket.Identity{Tenant: tenant}, "leave")
		require.NoError(t, err)
		require.Len(t, older, 2)
		out.services[tenant] = append(older, secret)
	}
	parts, err := s.Outbox.Partitions(t.Context())
	require.NoError(t, err)
	for _, part := range parts {
		works, err := s.Outbox.Pending(t.Context(), part, nil, 100)
		require.NoError(t, err)
		for _, w := range works {
			require.Empty(t, w.Unsendable)
			require.NotEmpty(t, w.Subscription.Secret)
			out.delivered[w.Subscription.ID] = w
			var body struct{ Token string }
			if json.Unmarshal(w.Delivery.Body, &body); body.Token != "" {
				passed, err := s.VerifyToken(t.Context(), "a", body.Token)
				require.NoError(t, err)
				require.True(t, passed)
				out.token = body.Token
			}
		}
	}
	require.Len(t, out.delivered, 3)
	require.NotEmpty(t, out.token)
	again, fresh, err := s.Ledger().Transact(t.Context(), op, nil)
	require.NoError(t, err)
	require.False(t, fresh)
	require.JSONEq(t, `{"secret":"whsec_told"}`, string(again.Answer.Body))
	for _, purpose := range vault.Purposes {
		out.keys[purpose], err = s.DataKeys(t.Context(), purpose)
		require.NoError(t, err)
	}
	require.NoError(t, s.Ping(t.Context()))
	return out
}

var newKey = []byte("fedcba9876543210fedcba9876543210")

func TestEverythingIsSealedAnewUnderANewMasterKey(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		b.ReadAtOnce = 2 // so that walks take several steps
		apps, tenants, op := b.fill()
		had := b.secrets(b.Store, apps, tenants, op)
		counted, err := b.SealedUnder(t.Context())
		require.NoError(t, err)
		require.Len(t, counted, len(vault.SealedColumns()), "some of each is here, or this proves nothing: %v", counted)
		earlier := counted[0].Key
		total := 0
		for _, c := range counted {
			require.Equal(t, []any{earlier, true}, []any{c.Key, c.InForce})
			require.Positive(t, c.N)
			total += c.N
		}
		// Whatever is sealed is in a column that is known, or under a data key.
		kept := map[string]bool{}
		for _, key := range had.keys[vault.KeyKept] {
			kept[key.ID] = true
		}
		columns := func() (list []string) {
			for at, keys := range b.seals() {
				if keys = slices.DeleteFunc(keys, func(id string) bool { return kept[id] }); len(keys) > 0 {
					list = append(list, at)
				}
			}
			return list
		}
		require.ElementsMatch(t, vault.SealedColumns(), columns())

		// Without the earlier key nothing can be opened, and nothing is touched.
		before := b.seals()
		done, err := b.under(newKey).Reseal(t.Context())
		require.NoError(t, err)
		require.Equal(t, [2]int{0, total}, sum(done))
		require.Equal(t, before, b.seals())

		// Both keys: what a process writes meanwhile is under the new one.
		during := b.under(newKey, masterKey)
		require.Equal(t, had, b.secrets(during, apps, tenants, op))
		_, err = during.RotateSecret(t.Context(), "one", 0)
		require.NoError(t, err)
		_, list, err := during.Secrets(t.Context(), "one")
		require.NoError(t, err)
		b.clock.pass(time.Second)
		_, err = b.under(masterKey, newKey).RotateSecret(t.Context(), "one", time.Hour) // a process that was given the next key beforehand
		require.NoError(t, err)
		_, both, err := during.Secrets(t.Context(), "one")
		require.NoError(t, err)
		require.Equal(t, list, both[1:])
		had.apps["one"] = both

		done, err = during.Reseal(t.Context())
		require.NoError(t, err)
		require.Equal(t, [2]int{total + 1, 0}, sum(done))
		for _, keys := range b.seals() {
			require.NotContains(t, keys, earlier)
		}
		require.ElementsMatch(t, vault.SealedColumns(), columns())
		counted, err = b.under(newKey).SealedUnder(t.Context())
		require.NoError(t, err)
		for _, c := range counted {
			require.True(t, c.InForce, "%v", c)
		}
		done, err = during.Reseal(t.Context())
		require.NoError(t, err)
		require.Equal(t, [2]int{}, sum(done), "there is nothing left to do")

		// The new key alone.
		require.Equal(t, had, b.secrets(b.under(newKey), apps, tenants, op))
		require.Error(t, b.under(masterKey).Ping(t.Context()), "a process with the earlier key alone is not ready")
	})
}

func sum(done []vault.Resealed) (out [2]int) {
	for _, d := range done {
		out[0] += d.N
		out[1] += d.Failed
	}
	return out
}

func TestResealingOverwritesNothingThatChangedMeanwhile(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		sub, err := b.Subscribe(t.Context(), notice.Subscription{Tenant: "a", URL: hook, Format: notice.FormatEvent, Profile: notice.Standard})
		require.NoError(t, err)
		working, resealing := b.under(masterKey, newKey), b.under(newKey, masterKey)
		var rotated string
		var wait sync.WaitGroup
		require.NoError(t, working.InTransaction(t.Context(), func(ctx context.Context, _ func(vault.Purpose) (vault.DataKey, error)) (err error) {
			if rotated, err = working.Rotate(ctx, notice.Owner{Tenant: "a"}, sub.ID); err != nil {
				return err
			}
			wait.Go(func() {
				_, err := resealing.Reseal(t.Context())
				assert.NoError(t, err)
			})
			if strings.HasPrefix(b.dsn, "postgres") {
				require.Eventually(t, func() bool {
					return b.count(`SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) > 0
				}, time.Minute, 5*time.Millisecond, "it waits for the row, which it has read already")
			}
			return nil
		}))
		wait.Wait()
		require.NoError(t, b.Publish(t.Context(), "a", "demo", notice.Published{Source: "s", Topic: "t", Type: "x", Status: "y", Changes: []string{"1"}}))
		parts, err := resealing.Outbox.Partitions(t.Context())
		require.NoError(t, err)
		works, err := b.under(newKey).Outbox.Pending(t.Context(), parts[0], nil, 10)
		require.NoError(t, err)
		require.Empty(t, works[0].Unsendable, "all of it was sealed anew")
		require.Equal(t, rotated, works[0].Subscription.Secret)
		require.Equal(t, []string{sub.Secret}, works[0].Subscription.Older)
	})
}
