package embedded

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence"
	"go.temporal.io/server/common/persistence/serialization"
	temporalsql "go.temporal.io/server/common/persistence/sql"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	"go.temporal.io/server/common/resolver"
	"go.temporal.io/server/common/searchattribute/sadefs"
	sqliteschema "go.temporal.io/server/schema/sqlite"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

// ensureNamespace writes the namespace, its retention and its search attributes into the database before the server
// starts. Through the API the same would need a running server and then a wait, service by service, until each has
// noticed.
func ensureNamespace(ctx context.Context, conf *config.SQL, o Options) error {
	db, err := temporalsql.NewSQLDB(sqlplugin.DbKindMain, conf, resolver.NewNoopResolver(), log.NewNoopLogger(), metrics.NoopMetricsHandler)
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	defer func() { _ = db.Close() }()

	fresh, err := sqliteschema.NewNamespaceConfig(clusterName, o.Namespace, false, nil)
	if err != nil {
		return fmt.Errorf("namespace %q: %w", o.Namespace, err)
	}
	// Does nothing when the name exists.
	if err := sqliteschema.CreateNamespaces(conf, fresh); err != nil {
		return fmt.Errorf("namespace %q: %w", o.Namespace, err)
	}

	rows, err := db.SelectFromNamespace(ctx, sqlplugin.NamespaceFilter{Name: &o.Namespace})
	if err != nil {
		return fmt.Errorf("namespace %q: %w", o.Namespace, err)
	}
	row := rows[0]
	codec := serialization.NewSerializer()
	stored, err := codec.NamespaceDetailFromBlob(persistence.NewDataBlob(row.Data, row.DataEncoding))
	if err != nil {
		return fmt.Errorf("namespace %q: %w", o.Namespace, err)
	}

	wanted := proto.Clone(stored).(*persistencespb.NamespaceDetail)
	wanted.Config.Retention = durationpb.New(o.Retention)
	wanted.Config.CustomSearchAttributeAliases, err = assign(stored.Config.CustomSearchAttributeAliases, o.SearchAttributes)
	if err != nil {
		return fmt.Errorf("namespace %q: %w", o.Namespace, err)
	}
	if proto.Equal(stored, wanted) {
		return nil
	}
	wanted.ConfigVersion++

	blob, err := codec.NamespaceDetailToBlob(wanted)
	if err != nil {
		return fmt.Errorf("namespace %q: %w", o.Namespace, err)
	}
	row.Data, row.DataEncoding = blob.GetData(), blob.GetEncodingType().String()
	if _, err := db.UpdateNamespace(ctx, &row); err != nil {
		return fmt.Errorf("namespace %q: %w", o.Namespace, err)
	}
	return nil
}

// assign returns the namespace's search attributes (database column to name) with the wanted ones added, each on a free
// column of its type. Columns already in use keep their names, since rows were written under them.
func assign(current map[string]string, wanted map[string]enumspb.IndexedValueType) (map[string]string, error) {
	columns := sadefs.GetDBIndexSearchAttributes(nil).CustomSearchAttributes
	assigned := maps.Clone(current)
	if assigned == nil {
		assigned = map[string]string{}
	}
	existing := make(map[string]enumspb.IndexedValueType, len(current))
	for column, name := range current {
		existing[name] = columns[column]
	}

	var faults []error
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		kind := wanted[name]
		if sadefs.IsReserved(name) {
			faults = append(faults, fmt.Errorf("search attribute %q: the name is Temporal's own", name))
			continue
		}
		if have, ok := existing[name]; ok {
			if have != kind {
				faults = append(faults, fmt.Errorf("search attribute %q is %s already and cannot become %s", name, have, kind))
			}
			continue
		}
		column, ok := freeColumn(columns, assigned, kind)
		if !ok {
			faults = append(faults, fmt.Errorf("search attribute %q: no room for another %s", name, kind))
			continue
		}
		assigned[column] = name
	}
	return assigned, errors.Join(faults...)
}

func freeColumn(columns map[string]enumspb.IndexedValueType, taken map[string]string, kind enumspb.IndexedValueType) (string, bool) {
	for _, column := range slices.Sorted(maps.Keys(columns)) {
		if _, used := taken[column]; !used && columns[column] == kind {
			return column, true
		}
	}
	return "", false
}
