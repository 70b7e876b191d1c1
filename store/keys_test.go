package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/store"
	"signalbox/store/vault"
)

// under is the same database as a process with other keys sees it.
func (b *bench) under(master []byte, old ...[]byte) *store.Store {
	b.t.Helper()
	s, err := store.Open(b.t.Context(), b.dsn, store.Options{MasterKey: master, OldKeys: old, Now: b.clock.Now})
	require.NoError(b.t, err)
	s.ReadAtOnce = b.ReadAtOnce
	b.t.Cleanup(func() { require.NoError(b.t, s.Close()) })
	return s
}

// cells shows everything that the database holds.
func (b *bench) cells(f func(table, column, text string)) {
	b.t.Helper()
	db := b.raw()
	query := `SELECT tablename FROM pg_tables WHERE schemaname = 'public'`
	if strings.HasPrefix(b.dsn, "sqlite") {
		query = `SELECT name FROM sqlite_master WHERE type = 'table'`
	}
	texts := func(query string, each func(columns []string, row []any)) {
		rows, err := db.Query(query)
		require.NoError(b.t, err)
		defer rows.Close()
		columns, err := rows.Columns()
		require.NoError(b.t, err)
		for rows.Next() {
			row := make([]any, len(columns))
			for i := range row {
				row[i] = new(any)
			}
			require.NoError(b.t, rows.Scan(row...))
			each(columns, row)
		}
		require.NoError(b.t, rows.Err())
	}
	show := func(cell any) string {
		switch v := (*cell.(*any)).(type) {
		case []byte:
			return string(v)
		default:
			return fmt.Sprint(v)
		}
	}
	var tables []string
	texts(query, func(_ []string, row []any) { tables = append(tables, show(row[0])) })
	require.Greater(b.t, len(tables), 15)
	for _, table := range tables {
		texts(`SELECT * FROM `+table, func(columns []string, row []any) {
			for i, column := range columns {
				f(table, column, show(row[i]))
			}
		})
	}
}

func TestAllProcessesHaveOneDataKey(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		_, err := b.raw().Exec(`DELETE FROM data_keys`) // migrating made them
		require.NoError(t, err)
		first, second := b.under(masterKey), b.under(masterKey)
		var made vault.DataKey
		var told []vault.DataKey
		var wait sync.WaitGroup
		require.NoError(t, first.InTransaction(t.Context(), func(ctx context.Context, key func(vault.Purpose) (vault.DataKey, error)) (err error) {
			made, err = key(vault.KeyPayload)
			wait.Go(func() {
				var err error
				told, err = second.DataKeys(t.Context(), vault.KeyPayload)
				assert.NoError(t, err)
			})
			if strings.HasPrefix(b.dsn, "postgres") {
				require.Eventually(t, func() bool {
					return b.count(`SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) > 0
				}, time.Minute, 5*time.Millisecond, "the second waits for the first")
			}
			return err
		}))
		wait.Wait()
		require.Equal(t, []vault.DataKey{made}, told)
		require.Len(t, made.Key, 32)
		require.NotEqual(t, make([]byte, 32), made.Key)

		audit, err := b.DataKeys(t.Context(), vault.KeyAudit)
		require.NoError(t, err)
		require.NotEqual(t, made, audit[0], "no key serves two purposes")
		var sealed string
		require.NoError(t, b.raw().QueryRow(`SELECT sealed FROM data_keys WHERE purpose = 'audit'`).Scan(&sealed))
		require.NotContains(t, sealed, string(audit[0].Key))
	})
}

func TestMigratingMakesDataKeysAndSaysWhichCannotBeOpened(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		require.Equal(t, len(vault.Purposes), b.count(`SELECT COUNT(*) FROM data_keys`))
		stranger := b.under([]byte("another key of just 32 bytes...."))
		_, err := stranger.Migrate(t.Context())
		require.ErrorContains(t, err, "open the audit key")
		require.ErrorContains(t, err, "open the payload key")
		_, err = b.under([]byte("another key of just 32 bytes...."), masterKey).Migrate(t.Context())
		require.NoError(t, err)
	})
}

// TestAWrongMasterKeyMakesNoDataKeys: an upgrade from a version without data keys that was begun with a wrong setting can be done again.
func TestAWrongMasterKeyMakesNoDataKeys(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		_, err := b.raw().Exec(`DELETE FROM data_keys`)
		require.NoError(t, err)
		wrong := []byte("another key of just 32 bytes....")
		for _, code := range []string{"first", "second"} {
			_, err = b.CreateApp(t.Context(), desk.App{Code: code, Tenant: "a", Scopes: []desk.Scope{desk.Read}})
			require.NoError(t, err)
		}
		_, err = b.under(wrong).Migrate(t.Context())
		require.ErrorContains(t, err, "make data keys under a master key that opens no app's secret")
		require.Zero(t, b.count(`SELECT COUNT(*) FROM data_keys`))

		// A secret that nobody can open any more hinders nobody.
		_, err = b.raw().Exec(`UPDATE app_secrets SET sealed = 'lost.' WHERE app = 'first'`)
		require.NoError(t, err)
		_, err = b.under(wrong, masterKey).Migrate(t.Context())
		require.NoError(t, err)
		require.Equal(t, len(vault.Purposes), b.count(`SELECT COUNT(*) FROM data_keys`))
	})
}

func TestADataKeyThatWasRolledBackIsNotUsed(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		_, err := b.raw().Exec(`DELETE FROM data_keys`)
		require.NoError(t, err)
		s := b.under(masterKey)
		failed := errors.New("failed")
		var lost vault.DataKey
		err = s.InTransaction(t.Context(), func(ctx context.Context, key func(vault.Purpose) (vault.DataKey, error)) error {
			if lost, err = key(vault.KeyAudit); err != nil {
				return err
			}
			again, err := key(vault.KeyAudit)
			require.NoError(t, err)
			require.Equal(t, lost, again)
			return failed
		})
		require.ErrorIs(t, err, failed)
		var kept, remembered vault.DataKey
		for _, into := range []*vault.DataKey{&kept, &remembered} {
			require.NoError(t, s.InTransaction(t.Context(), func(ctx context.Context, key func(vault.Purpose) (vault.DataKey, error)) (err error) {
				*into, err = key(vault.KeyAudit)
				return err
			}))
		}
		require.NotEqual(t, lost, kept)
		require.Equal(t, kept, remembered)
		stored, err := b.DataKeys(t.Context(), vault.KeyAudit)
		require.NoError(t, err)
		require.Equal(t, []vault.DataKey{kept}, stored)
	})
}
