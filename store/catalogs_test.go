package store_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/ticket"
)

// TestCatalogsAndImportsAreKeptOnce: of many that make the same catalog at once one makes it, and nobody's name of an imported service is taken by another.
func TestCatalogsAndImportsAreKeptOnce(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		var wait sync.WaitGroup
		ids := make([]int64, 8)
		errs := make([]error, 8)
		for i := range ids {
			wait.Go(func() {
				ids[i], errs[i] = b.EnsureCatalog(ctx, "a", "demo", ticket.Catalog{Parent: 1, Name: "容器管理", Description: "x"})
			})
		}
		wait.Wait()
		for i := range ids {
			require.NoError(t, errs[i])
			require.Equal(t, ids[0], ids[i])
		}
		require.GreaterOrEqual(t, ids[0], int64(100), "those below are part of the program")
		inner, err := b.EnsureCatalog(ctx, "a", "demo", ticket.Catalog{Parent: ids[0], Name: "容器管理"})
		require.NoError(t, err)
		require.NotEqual(t, ids[0], inner)
		other, err := b.EnsureCatalog(ctx, "b", "demo", ticket.Catalog{Parent: 1, Name: "容器管理"})
		require.NoError(t, err)
		require.NotContains(t, []int64{ids[0], inner}, other)
		list, err := b.Catalogs(ctx, "a")
		require.NoError(t, err)
		require.Equal(t, []ticket.Catalog{{ID: ids[0], Parent: 1, Name: "容器管理", Description: "x"}, {ID: inner, Parent: ids[0], Name: "容器管理"}}, list)

		for _, key := range []string{"leave", "leave2"} {
			def := parsed(t, leave)
			def.Key = key
			_, err := b.PublishService(ctx, "a", "demo", def)
			require.NoError(t, err)
		}
		first := ticket.ImportedService{Key: "leave", Catalog: inner, Name: "请假", Left: []ticket.NotCarried{{At: "workflow.triggers", Why: "is not made"}}}
		require.NoError(t, b.RecordImport(ctx, "a", "demo", first))
		second := ticket.ImportedService{Key: "leave2", Catalog: inner, Name: "请假"}
		err = b.RecordImport(ctx, "a", "demo", second)
		require.True(t, ticket.Is(err, ticket.Conflict), "%v", err)
		second.Name = "请假二"
		require.NoError(t, b.RecordImport(ctx, "a", "demo", second))
		first.Name, first.Left = "请假三", nil
		require.NoError(t, b.RecordImport(ctx, "a", "demo", first))
		imported, err := b.ImportedServices(ctx, "a")
		require.NoError(t, err)
		require.Equal(t, []ticket.ImportedService{first, second}, imported)
		none, err := b.ImportedServices(ctx, "b")
		require.NoError(t, err)
		require.Empty(t, none)
	})
}
