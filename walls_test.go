package signalbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/ticket"
)

const module = "signalbox"

const (
	temporal     = "go.temporal.io"
	temporalMain = "go.temporal.io/server"
	sqlite       = "modernc.org/sqlite"
	fiber        = "github.com/gofiber/fiber"
	sqlx         = "github.com/jmoiron/sqlx"
	pgx          = "github.com/jackc/pgx"
	otelSDK      = "go.opentelemetry.io/otel/sdk" // how spans are sent is for the mains
)

// room is a part of the module: a package and those below it that are not a room of their own.
type room struct {
	name string
	// ours are the rooms that it may import, besides itself. Nil means any.
	ours []string
	// never is what it does not get even through others: rooms (and all below them), or packages of other modules by prefix.
	never []string
	// pure rooms do no I/O and read no clock.
	pure bool
	// testsToo holds the tests of the room to what it never gets, as far as they import it themselves.
	testsToo bool
	// beside the standard library are the only libraries that it gets, even through others, by prefix; nil: any.
	beside []string
}

var (
	rules = []string{"ticket", "flow", "notice", "people", "calendar"}
	// behind is what the front of the house knows only as small interfaces.
	behind = []string{"workflows", "activities", "store", "migrations", "worker", "cmd", temporal, sqlx, pgx}
	// shared are the folders under api that have no calls: they belong to the room api. Every other one is a room of its own.
	shared = []string{"api/apitest", "api/bkapi", "api/houseapi", "api/openapi", "api/parameter", "api/sdkhmac"}
	// houses are the folders under api with calls of the house API, which are no channel of their own.
	houses = []string{"api/audit", "api/calendar", "api/directory", "api/service", "api/subscription"}
)

// floors are the packages of the store from the ground up: each may import those before it, as far as it names them.
var floors = []room{
	{name: "store/db", ours: []string{"ticket", "migrations", "internal/watch"}},
	{name: "store/vault", ours: []string{"store/db", "internal/aead", "ticket", "notice"}},
	{name: "store/chain", ours: []string{"store/db", "store/vault", "desk", "ticket"}},
	{name: "store/operations", ours: []string{"store/db", "store/vault", "store/chain", "desk", "ticket"}},
	{name: "store/callers", ours: []string{"store/db", "store/vault", "desk", "ratelimit", "ticket"}},
	{name: "store/services", ours: []string{"store/db", "store/vault", "calendar", "flow", "ticket"}},
	{name: "store/people", ours: []string{"store/db", "store/vault", "internal/password", "people", "ticket"}},
	{name: "store/views", ours: []string{"store/db", "ticket"}},
	{name: "store/tallies", ours: []string{"store/db", "ticket"}},
	{name: "store/outbox", ours: []string{"store/db", "store/vault", "store/chain", "store/tallies", "internal/tracing", "notice", "people", "ticket"}},
	{name: "store/tickets", ours: []string{"store/db", "store/vault", "store/chain", "store/tallies", "store/outbox", "desk", "internal/tracing", "notice", "ticket"}},
	{name: "store/verify", ours: []string{"store/db", "store/vault", "store/chain", "store/tickets", "desk", "ticket"}},
}

// beyondStore is what no package of the store ever gets.
var beyondStore = []string{"workflows", "activities", "api", "console", "worker", "cmd", temporal, fiber}

var rooms = slices.Concat([]room{
	{name: "calendar", pure: true, ours: none},
	{name: "flow", pure: true, ours: []string{"calendar"}},
	{name: "ticket", pure: true, ours: []string{"calendar", "flow", "internal/jsonsize"}},
	{name: "notice", pure: true, ours: []string{"flow", "ticket"}},
	{name: "diagram", pure: true, ours: []string{"flow"}},
	{name: "people", pure: true, ours: []string{"flow"}},
	{name: "ratelimit", pure: true, ours: none},
	{name: "desk", ours: append([]string{"internal/tracing", "internal/watch"}, rules...), never: []string{temporal, fiber, sqlx, pgx, otelSDK}},
	{name: "workflows", never: []string{"store", "migrations", "api", "console", "worker", "cmd", fiber, sqlx, pgx}},
	{name: "activities", never: []string{"store", "migrations", "workflows", "api", "console", "worker", "cmd", fiber, sqlx, pgx}},
	{name: "store", never: beyondStore},
	{name: "internal/jsonsize", ours: none, never: []string{temporal, fiber, sqlx, pgx}},
	{name: "internal/framing", ours: none, never: []string{temporal, fiber, sqlx, pgx}},
	{name: "internal/aead", ours: none, never: []string{temporal, fiber, sqlx, pgx}},
	{name: "internal/password", ours: none, never: []string{temporal, fiber, sqlx, pgx}},
	{name: "internal/watch", ours: none, never: []string{temporal, fiber, sqlx, pgx}},
	{name: "internal/testmain", ours: none, never: []string{temporal, fiber, sqlx, pgx}},
	{name: "internal/logtest", ours: none, never: []string{temporal, fiber, sqlx, pgx}},
	{name: "internal/version", ours: none, never: []string{temporal, fiber, sqlx, pgx}},
	{name: "internal/tracing", ours: none, never: []string{temporal, fiber, sqlx, pgx, otelSDK}},
	{name: "internal/tracing/interceptor", ours: []string{"internal/tracing"}, never: []string{fiber, sqlx, pgx, otelSDK}},
	{name: "internal/housetest", never: []string{"workflows", "activities", "console", "worker", "cmd", temporal}},
	{name: "client", ours: none, never: []string{temporal, fiber, sqlx, pgx}, beside: []string{"github.com/oapi-codegen/runtime", "github.com/apapsch/go-jsonmerge", "github.com/google/uuid"}},
	{name: "migrations", ours: none, never: []string{temporal, fiber}},
	{name: "worker", never: []string{"store", "migrations", "api", "console", "cmd", fiber, sqlx, pgx}},
	{name: "api", ours: append([]string{"desk", "diagram", "internal/framing", "internal/tracing", "internal/watch", "ratelimit"}, rules...), never: behind, testsToo: true},
	{name: "api/apitest", ours: append([]string{"api", "desk", "store"}, rules...), never: []string{"workflows", "activities", "console", "worker", "cmd", temporal}},
	{name: "console", ours: append([]string{"desk", "api", "diagram", "ratelimit", "internal/aead"}, rules...), never: behind},
}, each(handlers(), func(name string) room {
	return room{name: name, ours: append([]string{"desk", "api", "diagram"}, rules...), never: behind, testsToo: true}
}), each(floors, func(r room) room {
	r.never = beyondStore
	return r
}))

// handlers are the folders under api that have calls: whatever is there and is not named as shared.
func handlers() (names []string) {
	files, _ := filepath.Glob("api/*/*.go")
	for _, file := range files {
		if name := filepath.ToSlash(filepath.Dir(file)); !slices.Contains(shared, name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// everywhere is what nothing in the module gets, except in tests: what only development needs.
var everywhere = []string{temporalMain, sqlite, "helm.sh", "k8s.io", "sigs.k8s.io", "github.com/prometheus/prometheus", "store/postgrestest", "store/storetest", "desk/desktest", "activities/mailtest", "activities/outboxtest", "activities/trusttest", "api/apitest", "internal/housetest", "internal/logtest", "internal/testmain"}

var none = []string{}

// deterministic are the packages of the standard library that pure rooms may import: they only compute.
var deterministic = []string{
	"bufio", "bytes", "cmp", "container/...", "crypto/hmac", "crypto/sha256", "crypto/sha512", "crypto/subtle", "embed", "encoding", "encoding/...",
	"errors", "fmt", "hash", "hash/...", "html", "io", "iter", "maps", "math", "math/big", "math/bits", "net/netip", "net/url", "path", "reflect",
	"regexp", "slices", "sort", "strconv", "strings", "sync", "text/template", "text/template/parse", "time", "unicode", "unicode/utf8", "unicode/utf16",
}

// outward are the packages of the standard library that do I/O; no library that a pure room uses may import them.
var outward = []string{"os", "net", "net/http", "net/rpc", "net/smtp", "database/sql", "io/ioutil", "syscall", "plugin", "log", "log/slog", "crypto/rand", "math/rand"}

// impure are the functions of deterministic packages that are not: clocks, and what reads or writes the process's own files.
var impure = map[string][]string{
	"time": {"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"},
	"fmt":  {"Print", "Printf", "Println", "Scan", "Scanf", "Scanln"},
}

// partly are packages that do I/O but also hold words that pure rooms may use, by how those begin.
var partly = map[string][]string{"net/http": {"Status", "Method", "Header"}}

// vouched are libraries that import what does I/O only for its types.
var vouched = []string{"github.com/standard-webhooks/standard-webhooks/libraries/go"}

// pack is a package as "go list" tells of it.
type pack struct {
	ImportPath, Dir                    string
	Standard                           bool
	GoFiles                            []string
	Imports, TestImports, XTestImports []string
	Deps                               []string
}

func TestWalls(t *testing.T) {
	packs := list(t)
	for _, r := range rooms {
		t.Run(r.name, func(t *testing.T) {
			found := 0
			for _, p := range packs {
				if name, ours := inside(p.ImportPath); ours && roomOf(name) == r.name {
					found++
					for _, breach := range r.breaches(p, packs) {
						t.Error(breach)
					}
				}
			}
			require.Positive(t, found, "there is no such package")
		})
	}
	t.Run("all packages", func(t *testing.T) {
		for _, p := range packs {
			if name, ours := inside(p.ImportPath); ours && !slices.ContainsFunc(rooms, func(r room) bool { return roomOf(name) == r.name }) {
				require.True(t, name == "" || under(p.ImportPath, []string{"cmd", "docs"}), "%s is in no room: say in rooms what it may import", name)
			}
		}
	})
	t.Run("everywhere", func(t *testing.T) {
		for _, p := range packs {
			for _, breach := range houseBreaches(p) {
				t.Error(breach)
			}
		}
	})
}

// TestEveryFolderOfTheAPIIsAChannel: a folder under api that has calls is a channel of ticket's list or a part of the house API, and no other
// folder has any.
func TestEveryFolderOfTheAPIIsAChannel(t *testing.T) {
	calls := regexp.MustCompile(`(?m)^func \(\w+ \*?\w+\) (Family\(\) api\.Family|Families\(\) \[\]api\.Family) \{$`)
	has := func(folder string) bool {
		files, err := filepath.Glob(folder + "/*.go")
		require.NoError(t, err)
		return slices.ContainsFunc(files, func(file string) bool {
			source, err := os.ReadFile(file)
			require.NoError(t, err)
			return !strings.HasSuffix(file, "_test.go") && calls.Match(source)
		})
	}
	var channels []string
	for _, c := range ticket.CalledChannels() {
		channels = append(channels, "api/"+string(c))
		require.Contains(t, handlers(), "api/"+string(c), "ticket's list has the channel %s, which has no folder", c)
	}
	for _, folder := range handlers() {
		require.True(t, has(folder), "%s has no Family(): it belongs into shared", folder)
		require.True(t, slices.Contains(channels, folder) || slices.Contains(houses, folder),
			"%s has calls, and is neither a channel of ticket's list (ticket/channel.go) nor among houses", folder)
	}
	for _, folder := range shared {
		require.False(t, has(folder), "%s has calls: it does not belong into shared", folder)
	}
}

// breaches are the ways in which a package of the room breaks its walls.
func (r room) breaches(p pack, packs map[string]pack) []string {
	var out []string
	breach := func(format string, args ...any) { out = append(out, p.ImportPath+" "+fmt.Sprintf(format, args...)) }
	for _, path := range p.Imports {
		if name, ours := inside(path); ours && r.ours != nil && roomOf(name) != r.name && !slices.Contains(r.ours, roomOf(name)) {
			breach("imports %s; %s may import of ours only %q", path, r.name, r.ours)
		}
		if r.pure && packs[path].Standard && !matches(path, deterministic) && partly[path] == nil {
			breach("imports %s, which is not among the packages that only compute", path)
		}
	}
	for _, path := range p.Deps {
		if under(path, r.never) {
			breach("depends on %s; %s never may%s", path, r.name, through(p, path, packs))
		}
		if first, _, _ := strings.Cut(path, "/"); r.beside != nil && strings.Contains(first, ".") && !packs[path].Standard && !under(path, r.beside) {
			breach("depends on %s; beside the standard library %s gets only %q%s", path, r.name, r.beside, through(p, path, packs))
		}
		if d := packs[path]; r.pure && !d.Standard && !slices.Contains(vouched, path) {
			for _, far := range d.Imports {
				if _, ours := inside(path); !ours && slices.Contains(outward, far) {
					breach("depends on %s, which imports %s and so may do I/O", path, far)
				}
			}
		}
	}
	if r.testsToo {
		for _, path := range slices.Concat(p.TestImports, p.XTestImports) {
			if under(path, r.never) {
				breach("imports %s in its tests; they are to run without", path)
			}
		}
	}
	if r.pure {
		for _, file := range p.GoFiles {
			calls, err := impureUses(filepath.Join(p.Dir, file), nil)
			if err != nil {
				breach("cannot be read: %v", err)
			}
			for _, call := range calls {
				breach("uses %s; time and I/O are handed in", call)
			}
		}
	}
	return out
}

// houseBreaches are the ways in which a package breaks the walls of the whole house.
func houseBreaches(p pack) []string {
	var out []string
	name, ours := inside(p.ImportPath)
	if !ours {
		return nil
	}
	for _, path := range p.Deps {
		if under(path, everywhere) && !under(p.ImportPath, everywhere) {
			out = append(out, fmt.Sprintf("%s depends on %s, which is for development and tests only", p.ImportPath, path))
		}
	}
	for _, path := range slices.Concat(p.TestImports, p.XTestImports) {
		if under(path, []string{temporalMain}) {
			out = append(out, fmt.Sprintf("%s imports %s in its tests, which only cmd/dev may", name, path))
		}
	}
	return out
}

// TestWallsOfModules: what holds the chart and the alerts against their consumers stays in deploy/check, and what makes images in deploy/release, both out of what the others link.
func TestWallsOfModules(t *testing.T) {
	for file, modules := range map[string][]string{
		"go.mod":         {"helm.sh/", "k8s.io/", "github.com/prometheus/prometheus ", "github.com/google/go-containerregistry "},
		"cmd/dev/go.mod": {"helm.sh/", "github.com/prometheus/prometheus ", "github.com/google/go-containerregistry "}, // some of Kubernetes comes with Temporal's server
	} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, module := range modules {
			require.NotContains(t, string(text), module, file)
		}
	}
	for file, module := range map[string]string{"deploy/check/go.mod": "helm.sh/helm/v3 ", "deploy/release/go.mod": "github.com/google/go-containerregistry "} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Contains(t, string(text), module)
		require.NotRegexp(t, `(?m)^\s*(replace|signalbox)\b`, string(text), "it reads what we have, and links nothing of ours")
	}
}

// A line that is written for a request says which trace it belongs to, by the context: who has one gives it to the log.
func TestLinesOfTheLogAreWrittenWithTheirContext(t *testing.T) {
	var lines []string
	err := filepath.WalkDir(".", func(path string, d os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || path == "cmd/dev" || path == "deploy"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		found, err := linesWithoutContext(path, nil)
		lines = append(lines, found...)
		return err
	})
	require.NoError(t, err)
	require.Empty(t, lines)
	found, err := linesWithoutContext("x.go", `package x
func a(ctx context.Context) { log.Warn("a"); log.WarnContext(ctx, "a"); workflow.GetLogger(ctx).Warn("a"); go func() { d.s.log().Error("b") }() }
func b() { log.Warn("a"); f(func(ctx context.Context) { log.Info("c") }) }
func c(ctx workflow.Context) { log.Warn("a") }`)
	require.NoError(t, err)
	require.Equal(t, []string{`Warn at x.go:2:31`, `Error at x.go:2:120`, `Info at x.go:3:57`}, found)
}

// linesWithoutContext lists where a function of a file that has a context writes to the log without it.
func linesWithoutContext(path string, source any) (out []string, err error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	has := func(f *ast.FuncType) bool {
		return slices.ContainsFunc(f.Params.List, func(p *ast.Field) bool {
			of, is := p.Type.(*ast.SelectorExpr)
			if !is {
				return false
			}
			from, is := of.X.(*ast.Ident)
			return is && from.Name == "context" && of.Sel.Name == "Context"
		})
	}
	var look func(n ast.Node, within bool)
	look = func(n ast.Node, within bool) {
		ast.Inspect(n, func(in ast.Node) bool {
			switch in := in.(type) {
			case *ast.FuncLit:
				if in != n {
					look(in.Body, within || has(in.Type))
					return false
				}
			case *ast.CallExpr:
				called, is := in.Fun.(*ast.SelectorExpr)
				if !is || !within || len(in.Args) == 0 || !slices.Contains([]string{"Debug", "Info", "Warn", "Error"}, called.Sel.Name) {
					return true
				}
				if text, is := in.Args[0].(*ast.BasicLit); !is || text.Kind != token.STRING {
					return true
				}
				if by, is := called.X.(*ast.CallExpr); is {
					if by, is := by.Fun.(*ast.SelectorExpr); is && by.Sel.Name == "GetLogger" {
						return true // Temporal's knows it
					}
				}
				out = append(out, fmt.Sprintf("%s at %s", called.Sel.Name, set.Position(called.Pos())))
			}
			return true
		})
	}
	for _, d := range file.Decls {
		if f, is := d.(*ast.FuncDecl); is && f.Body != nil {
			look(f.Body, has(f.Type))
		}
	}
	return out, nil
}

// impureUses lists the uses of impure functions in a file.
func impureUses(path string, source any) ([]string, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	names := map[string]string{} // what the file calls a package -> its path
	for _, spec := range file.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		name := path[strings.LastIndex(path, "/")+1:]
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = path
	}
	var out []string
	ast.Inspect(file, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		x, ok := selector.X.(*ast.Ident)
		if !ok {
			return true
		}
		path, name := names[x.Name], selector.Sel.Name
		words, some := partly[path]
		if slices.Contains(impure[path], name) || some && !slices.ContainsFunc(words, func(word string) bool { return strings.HasPrefix(name, word) }) {
			out = append(out, fmt.Sprintf("%s.%s at %s", path, name, set.Position(selector.Pos())))
		}
		return true
	})
	return out, nil
}

// through names the import by which a package gets something.
func through(p pack, path string, packs map[string]pack) string {
	for _, direct := range p.Imports {
		if direct == path {
			return ""
		}
	}
	for _, direct := range p.Imports {
		if slices.Contains(packs[direct].Deps, path) {
			return " (through " + direct + ")"
		}
	}
	return ""
}

// inside tells whether an import path is one of ours, and its name within the module.
func inside(path string) (name string, ours bool) {
	if path == module {
		return "", true
	}
	return strings.CutPrefix(path, module+"/")
}

// roomOf is the innermost room that a package of ours belongs to; a package of no room stands for itself.
func roomOf(name string) string {
	best := ""
	for _, r := range rooms {
		if (name == r.name || strings.HasPrefix(name, r.name+"/")) && len(r.name) > len(best) {
			best = r.name
		}
	}
	if best == "" {
		return name
	}
	return best
}

// under reports whether a package is one of the prefixes or below it; those without a dot in their first element are ours.
func under(path string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool {
		if first, _, _ := strings.Cut(prefix, "/"); !strings.Contains(first, ".") {
			prefix = module + "/" + prefix
		}
		return path == prefix || strings.HasPrefix(path, prefix+"/")
	})
}

func matches(path string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		prefix, tree := strings.CutSuffix(pattern, "...")
		return path == pattern || tree && strings.HasPrefix(path, prefix)
	})
}

// list asks "go list" for every package of the module and all that they depend on. What does not build is for the build to tell.
func list(t *testing.T) map[string]pack {
	t.Helper()
	command := exec.Command("go", "list", "-e", "-deps", "-json=ImportPath,Dir,Standard,GoFiles,Imports,TestImports,XTestImports,Deps", "./...")
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	require.NoError(t, err, stderr.String())
	packs := map[string]pack{}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pack
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		packs[p.ImportPath] = p
	}
	require.Contains(t, packs, module)
	return packs
}

func each[A, B any](in []A, f func(A) B) []B {
	out := make([]B, 0, len(in))
	for _, a := range in {
		out = append(out, f(a))
	}
	return out
}

// A wall that nothing can break is none: each is broken here once.
func TestWallsCanBreak(t *testing.T) {
	packs := map[string]pack{
		"os": {ImportPath: "os", Standard: true}, "strings": {ImportPath: "strings", Standard: true},
		"go.temporal.io/sdk/client": {ImportPath: "go.temporal.io/sdk/client"},
		"example.com/reader":        {ImportPath: "example.com/reader", Imports: []string{"os"}},
		"signalbox/flow":            {ImportPath: "signalbox/flow"},
		"signalbox/store":           {ImportPath: "signalbox/store", Deps: []string{sqlx}},
	}
	for _, c := range []struct {
		in   string
		pack pack
		want string // "" means that the wall stands
	}{
		{"ticket", pack{Imports: []string{"strings", "signalbox/flow"}, Deps: []string{"strings", "signalbox/flow"}}, ""},
		{"ticket", pack{Imports: []string{"os"}}, "imports os, which is not among"},
		{"ticket", pack{Imports: []string{"signalbox/notice"}}, "imports signalbox/notice; ticket may import of ours only"},
		{"ticket", pack{Imports: []string{"signalbox/cmd/internal/setup"}}, "imports signalbox/cmd/internal/setup"},
		{"flow", pack{Imports: []string{"signalbox/ticket"}}, "imports signalbox/ticket"},
		{"flow", pack{Imports: []string{"example.com/reader"}, Deps: []string{"example.com/reader", "os"}}, "depends on example.com/reader, which imports os"},
		{"notice", pack{Imports: []string{"signalbox/desk"}}, "imports signalbox/desk"},
		{"desk", pack{Imports: []string{"signalbox/store"}}, "imports signalbox/store"},
		{"api", pack{Imports: []string{"signalbox/api/sdkhmac", "signalbox/desk"}}, ""},
		{"api", pack{Imports: []string{"signalbox/api/issue"}}, "imports signalbox/api/issue"},
		{"api", pack{Deps: []string{"go.temporal.io/sdk/client"}}, "depends on go.temporal.io/sdk/client"},
		{"api/issue", pack{Imports: []string{"signalbox/api", "signalbox/ticket"}}, ""},
		{"api/issue", pack{Imports: []string{"signalbox/api/itsm"}}, "imports signalbox/api/itsm"},
		{"api/issue", pack{Deps: []string{"signalbox/workflows"}}, "depends on signalbox/workflows"},
		{"api/audit", pack{Imports: []string{"signalbox/api/issue"}}, "imports signalbox/api/issue"},
		{"api/codec", pack{Deps: []string{"go.temporal.io/sdk/client"}}, "depends on go.temporal.io/sdk/client"},
		{"api", pack{Imports: []string{"signalbox/api/codec"}}, "imports signalbox/api/codec"},
		{"api/itsm", pack{XTestImports: []string{"signalbox/store"}}, "imports signalbox/store in its tests"},
		{"api/apitest", pack{Imports: []string{"signalbox/store"}, Deps: []string{sqlx, "signalbox/store"}}, ""},
		{"api/apitest", pack{Imports: []string{"signalbox/api/issue"}}, "imports signalbox/api/issue"},
		{"api/apitest", pack{Deps: []string{"signalbox/workflows"}}, "depends on signalbox/workflows"},
		{"client", pack{Imports: []string{"strings", "signalbox/client/issue"}, Deps: []string{"os", "github.com/oapi-codegen/runtime/types"}}, ""},
		{"client", pack{Imports: []string{"signalbox/flow"}}, "imports signalbox/flow"},
		{"client", pack{Deps: []string{"example.com/reader"}}, "depends on example.com/reader; beside the standard library"},
		{"store", pack{Deps: []string{"signalbox/api"}}, "depends on signalbox/api"},
		{"store", pack{Imports: []string{"signalbox/store/db", "signalbox/store/verify"}}, ""},
		{"store/db", pack{Imports: []string{"signalbox/store/vault"}}, "imports signalbox/store/vault; store/db may import of ours only"},
		{"store/vault", pack{Imports: []string{"signalbox/store/outbox"}}, "imports signalbox/store/outbox"},
		{"store/outbox", pack{Imports: []string{"signalbox/store"}}, "imports signalbox/store;"},
		{"store/outbox", pack{Deps: []string{"signalbox/worker"}}, "depends on signalbox/worker"},
		{"store", pack{Deps: []string{fiber + "/v2"}}, "depends on " + fiber},
		{"workflows", pack{Imports: []string{"signalbox/store"}, Deps: []string{sqlx, "signalbox/store"}}, "(through signalbox/store)"},
	} {
		i := slices.IndexFunc(rooms, func(r room) bool { return r.name == c.in })
		require.GreaterOrEqual(t, i, 0, c.in)
		c.pack.ImportPath = module + "/" + c.in
		got := strings.Join(rooms[i].breaches(c.pack, packs), "\n")
		if c.want == "" {
			require.Empty(t, got)
		} else {
			require.Contains(t, got, c.want)
		}
	}

	// The floors are held by their order too: none may import one that stands on it.
	for i, floor := range floors {
		for _, ours := range floor.ours {
			require.Less(t, slices.IndexFunc(floors, func(r room) bool { return r.name == ours }), i, "%s imports %s", floor.name, ours)
		}
	}

	require.Len(t, houseBreaches(pack{ImportPath: "signalbox/cmd/api", Deps: []string{sqlite, temporalMain + "/temporal", "signalbox/store/postgrestest", "strings"}}), 3)
	require.Len(t, houseBreaches(pack{ImportPath: "signalbox/store", TestImports: []string{sqlite, temporalMain + "/temporal"}}), 1)
	require.Empty(t, houseBreaches(pack{ImportPath: "example.com/reader", Deps: []string{sqlite}}))
	require.Len(t, houseBreaches(pack{ImportPath: "signalbox/cmd/api", Deps: []string{"helm.sh/helm/v3/pkg/engine", "k8s.io/api/core/v1", "github.com/prometheus/client_golang/prometheus"}}), 2)

	uses, err := impureUses("x.go", "package x\nimport (\n\tclock \"time\"\n\t\"fmt\"\n\t\"net/http\"\n)\nvar a = clock.Now\nfunc f(time struct{ Now int }) string { _ = time.Now; fmt.Println(); _ = http.StatusOK; _ = http.Get; return fmt.Sprint(clock.Second) }")
	require.NoError(t, err)
	require.Equal(t, []string{"time.Now at x.go:7:9", "fmt.Println at x.go:8:55", "net/http.Get at x.go:8:93"}, uses)
}
