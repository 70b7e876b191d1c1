package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/people"
	"signalbox/store"
	"signalbox/store/storetest"
)

// What persons are called is told of those who have a name, of the tenant alone, and as it is now.
func TestNamesOfPersons(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		called := func(tenant string, ids ...string) map[string]string {
			t.Helper()
			names, err := b.PersonNames(t.Context(), tenant, ids)
			require.NoError(t, err)
			return names
		}
		require.Empty(t, called("a", "ada"))
		for id, name := range map[string]string{"ada": "Ada Lovelace", "李雷": "Li Lei", "mute": ""} {
			_, err := b.keep(people.Person{ID: id, Name: name, Active: true})
			require.NoError(t, err)
		}
		require.Equal(t, map[string]string{"ada": "Ada Lovelace", "李雷": "Li Lei"}, called("a", "ada", "ada", "李雷", "mute", "nobody", "Ada", "a\x00b", ""))
		require.Empty(t, called("b", "ada"), "another tenant")
		require.Empty(t, called("a", "nobody"))
		require.Empty(t, called("a"))
		_, err := b.keep(people.Person{ID: "ada", Name: "Ada King"})
		require.NoError(t, err)
		require.Equal(t, map[string]string{"ada": "Ada King"}, called("a", "ada"), "who is not active is called by name too")
		many := make([]string, 20_000)
		for i := range many {
			many[i] = time.Duration(i).String()
		}
		require.Len(t, called("a", append([]string{"ada"}, many...)...), 1, "however many are asked for")
	})
}

// TestNamesTakeOneStatement: and none where nobody is kept, from the second time on; a directory that begins to be kept is seen at once here, and in half a minute by others.
func TestNamesTakeOneStatement(t *testing.T) {
	t.Parallel()
	dsn, work := storetest.Counted(t, storetest.Postgres(t))
	b := open(t, dsn)
	other, err := store.Open(t.Context(), dsn, store.Options{MasterKey: masterKey, Now: b.clock.Now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, other.Close()) })
	names := func(s *store.Store) (found map[string]string, statements int64) {
		t.Helper()
		before := work.Statements.Load()
		found, err := s.PersonNames(t.Context(), "a", []string{"ada", "bob", "cyd"})
		require.NoError(t, err)
		return found, work.Statements.Load() - before
	}
	_, _ = names(b.Store)
	_, _ = names(other)
	for _, s := range []*store.Store{b.Store, other} {
		found, n := names(s)
		require.Empty(t, found)
		require.Zero(t, n)
	}
	_, err = b.keep(people.Person{ID: "ada", Name: "Ada"})
	require.NoError(t, err)
	found, n := names(b.Store)
	require.Equal(t, map[string]string{"ada": "Ada"}, found)
	require.EqualValues(t, 1, n)
	found, _ = names(other)
	require.Empty(t, found)
	b.clock.pass(30 * time.Second)
	found, _ = names(other)
	require.Len(t, found, 1)

	require.NoError(t, b.RemovePerson(t.Context(), "a", "demo", people.Key{ID: "ada"}, func(people.PersonRecord) error { return nil }))
	_, n = names(b.Store)
	require.EqualValues(t, 1, n, "what was found while somebody changes it is not believed")
	_, n = names(b.Store)
	require.EqualValues(t, 1, n)
	b.clock.pass(30 * time.Second)
	_, n = names(b.Store)
	require.EqualValues(t, 1, n)
	_, n = names(b.Store)
	require.Zero(t, n)
}
