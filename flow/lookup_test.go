package flow

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// searches are the functions that go through a list to find something in it.
var searches = set{"slices.Contains": true, "slices.ContainsFunc": true, "slices.Index": true, "slices.IndexFunc": true, "voted": true, "offers": true}

// searched lists every search that is made once for each item of another list, as `file: search`.
func searched(t *testing.T, dir string) (found []string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	require.NotEmpty(t, names)
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		require.NoError(t, err)
		file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
		require.NoError(t, err)
		var look func(at ast.Node, again bool)
		look = func(at ast.Node, again bool) {
			ast.Inspect(at, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.RangeStmt:
					look(n.X, again)
					look(n.Body, true)
					return false
				case *ast.ForStmt:
					look(n.Body, true)
					return false
				case *ast.CallExpr:
					called := types.ExprString(n.Fun)
					if searches[called] || searches[called[strings.LastIndex(called, ".")+1:]] {
						if again {
							found = append(found, fmt.Sprintf("%s: %s", filepath.Base(name), types.ExprString(n)))
						}
					}
					if strings.HasPrefix(called, "slices.") {
						for _, given := range n.Args {
							if question, ok := given.(*ast.FuncLit); ok { // asked once for each item
								look(question.Body, true)
							} else {
								look(given, again)
							}
						}
						return false
					}
				}
				return true
			})
		}
		look(file, false)
	}
	return found
}

// No command goes through a list for each item of another: two lists of a few thousand people would take millions of comparisons within a workflow. Such
// things are looked up in a set. What is left is bounded by a definition or a script, and each says by what.
func TestNoListIsSearchedForEachItemOfAnother(t *testing.T) {
	bounded := map[string]string{
		"call.go: slices.ContainsFunc(n.Fields, declared)":                                               "when publishing: the fields of a form",
		"call.go: slices.ContainsFunc(b.p.def.Fields, declared)":                                         "when publishing: the fields of a form",
		"check_expressions.go: slices.Contains([]FieldType{…}, kind)":                                    "five types",
		"check_graph.go: slices.ContainsFunc(way[slices.Index(way, to):], (func(n *node) bool literal))": "when publishing: the nodes of a definition",
		"check_graph.go: slices.Index(way, to)":                                                          "when publishing: the nodes of a definition",
		"check_members.go: slices.Contains(types, n.Type)":                                               "eight types",
		"check_members.go: slices.Contains(n.Processors.Persons, person)":                                "when publishing: 200 persons",
		"sla.go: slices.ContainsFunc(f.Choice, (func(c Choice) bool literal))":                           "when publishing: 500 choices",
		"sla.go: slices.Contains(nodes, s.Node)":                                                         "the nodes of a definition",
		"sla.go: slices.IndexFunc(clocks, (func(c SLAClock) bool literal))":                              "ten SLAs",
		"sla.go: slices.IndexFunc(p.SLA, (func(have SLAClock) bool literal))":                            "ten SLAs",
		"sla.go: slices.IndexFunc(r.pos.SLA, (func(c SLAClock) bool literal))":                           "ten SLAs",
		"working.go: slices.Contains(out, s.after.by)":                                                   "twenty stages",
		"working.go: slices.IndexFunc(had.Worked, (func(w WorkClock) bool literal))":                     "a calendar for each of twenty stages",
		"working.go: slices.IndexFunc(s.Worked, (func(c WorkClock) bool literal))":                       "a calendar for each of twenty stages",
		"position.go: slices.Contains(met, branch.Name)":                                                 "the branches of a parallel",
		"people.go: slices.Contains(n.Pending, who)":                                                     "each list is gone through once",
		"simulate.go: slices.IndexFunc(s.absences, (func(a absence) bool literal))":                      "200 absences of a script",
		"simulate.go: slices.Contains(wholeTicket, Action(a.Action))":                                    "a handful of actions",
		"simulate.go: slices.ContainsFunc(s.requests, (func(r *request) bool literal))":                  "the nodes of a definition",
	}
	for _, dir := range []string{".", "../ticket"} {
		for _, search := range searched(t, dir) {
			require.Contains(t, bounded, search, "what it goes through can be as long as the list around it")
		}
	}
}
