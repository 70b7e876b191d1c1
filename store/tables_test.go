package store_test

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/store/storetest"
)

// Every table is one package's own, which says so in its doc comment: "Its tables are a, b and c".
func TestEveryTableHasItsPackage(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*/*.go")
	require.NoError(t, err)
	owners := map[string][]string{}
	said := regexp.MustCompile(`Its tables? (?:is|are) ([^.;(]*)[.;(]`)
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.PackageClauseOnly|parser.ParseComments)
		require.NoError(t, err)
		text := strings.ReplaceAll(parsed.Doc.Text(), "\n", " ")
		for _, list := range said.FindAllStringSubmatch(text, -1) {
			for _, table := range regexp.MustCompile(`[a-z_]+`).FindAllString(list[1], -1) {
				owners[table] = append(owners[table], parsed.Name.Name)
			}
		}
	}
	b := open(t, storetest.SQLite(t))
	tables := b.lines(`SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'`)
	require.NotEmpty(t, tables)
	for _, table := range tables {
		if table != "goose_db_version" { // of the migrations
			require.Len(t, owners[table], 1, "of whom is the table %s? %v", table, owners[table])
		}
	}
	for table, packages := range owners {
		require.True(t, table == "and" || slices.Contains(tables, table), "%v names the table %s, and there is none", packages, table)
	}
}
