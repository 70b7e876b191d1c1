package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/store"
	"signalbox/store/storetest"
)

// What one test writes no other finds, and nothing is left to migrate.
func TestEachTestHasAMigratedDatabaseOfItsOwn(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(testing.TB) string{"sqlite": storetest.SQLite, "postgres": storetest.Postgres} {
		t.Run(name, func(t *testing.T) {
			for range 2 {
				s, err := store.Open(t.Context(), make(t), storetest.Options())
				require.NoError(t, err)
				defer s.Close()
				require.NoError(t, s.Ping(t.Context()))
				applied, err := s.Migrate(t.Context())
				require.NoError(t, err)
				require.Zero(t, applied)
				apps, err := s.ListApps(t.Context(), "")
				require.NoError(t, err)
				require.Empty(t, apps)
				require.NoError(t, s.EnsureApp(t.Context(), "demo", "demo-secret", "a", []desk.Scope{desk.Read}))
			}
		})
	}
}
