package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// clients is the folder of the module that pins generators and linters, with the programs that use what they make.
const clients = "../clients"

// TestGeneratedClients: every document, as the running system serves it, passes redocly and spectral; oapi-codegen, ogen and openapi-typescript make a
// client of each; all of them compile; and programs work tickets through every family by them, as one does by the vendor's own SDK. It needs Node and a registry of its packages: where one of
// them is missing it is skipped, and fails where CI is set.
func TestGeneratedClients(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("generating and compiling takes minutes")
	}
	dir := t.TempDir()
	w := workshop{t, dir}
	if _, err := exec.LookPath("npm"); err != nil {
		w.missing("no npm: %v", err)
	}
	w.copy("package.json", "redocly.yaml", "spectral.yaml", "go.mod", "go.sum")
	require.NoError(t, os.CopyFS(filepath.Join(dir, "programs"), os.DirFS(filepath.Join(clients, "testdata", "programs"))))
	if out, err := w.run("npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"); err != nil {
		w.missing("what package.json names cannot be installed: %v\n%s", err, out)
	}
	d := sharedDev(t)
	var documents, names []string
	for _, page := range w.list("../../../api/openapi/*.yaml") {
		name := strings.TrimSuffix(filepath.Base(page), ".yaml")
		text := d.caller().must(t, "GET", "/openapi/"+name+".yaml", nil).body
		require.NoError(t, os.WriteFile(filepath.Join(dir, name+".yaml"), []byte(text), 0o600))
		documents, names = append(documents, name+".yaml"), append(names, name)
	}
	require.NotEmpty(t, names)

	w.must("npx", append([]string{"--no-install", "redocly", "lint", "--config=redocly.yaml", "--max-problems=1000"}, documents...)...)
	w.must("npx", append([]string{"--no-install", "spectral", "lint", "--ruleset=spectral.yaml", "--fail-severity=hint"}, documents...)...)

	w.tool(clients, "github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen")
	w.tool(clients, "github.com/ogen-go/ogen/cmd/ogen")
	w.must("go", "mod", "edit", "-module=generated")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ogen.yml"), []byte("generator: {features: {disable_all: true, enable: [paths/client, client/request/validation]}}\n"), 0o600))
	for _, name := range names {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "oapicodegen", name), 0o700))
		w.must("./bin/oapi-codegen", "-generate=types,client", "-package="+name, "-o=oapicodegen/"+name+"/client.go", name+".yaml")
		w.must("./bin/ogen", "--config=ogen.yml", "--package="+name, "--target=ogen/"+name, name+".yaml")
		w.must("npx", "--no-install", "openapi-typescript", name+".yaml", "--output=programs/by_typescript/"+name+".d.ts")
	}
	w.must("go", "build", "-trimpath", "-o=bin/", "./programs/by_oapicodegen", "./programs/by_ogen", "./programs/by_vendor")
	w.must("npx", "--no-install", "tsc", "--project", "programs/by_typescript")

	env := []string{"SIGNALBOX=" + d.api, "SIGNALBOX_KEY=demo-secret", "HOME=" + dir} // the vendor's SDK keeps a file there
	for _, program := range [][]string{{"./bin/by_oapicodegen"}, {"./bin/by_ogen"}, {"./bin/by_vendor"}, {"node", "programs/by_typescript/out/main.js"}} {
		out, err := w.runWith(env, program[0], program[1:]...)
		require.NoError(t, err, "%s:\n%s", program, out)
	}
}

// workshop is a folder in which clients are made.
type workshop struct {
	t   testing.TB
	dir string
}

// missing ends a test for which this machine has not what it needs.
func (w workshop) missing(format string, about ...any) {
	w.t.Helper()
	if os.Getenv("CI") != "" {
		w.t.Fatalf(format, about...)
	}
	w.t.Skipf("*** GENERATED CLIENTS NOT TESTED: "+format+" ***", about...)
}

func (w workshop) copy(names ...string) {
	w.t.Helper()
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(clients, name))
		require.NoError(w.t, err)
		require.NoError(w.t, os.WriteFile(filepath.Join(w.dir, name), text, 0o600))
	}
}

func (w workshop) list(pattern string) []string {
	w.t.Helper()
	found, err := filepath.Glob(pattern)
	require.NoError(w.t, err)
	return found
}

// tool builds a generator, in the version that the module pins.
func (w workshop) tool(module, path string) {
	w.t.Helper()
	command := exec.CommandContext(w.t.Context(), "go", "build", "-o", filepath.Join(w.dir, "bin")+string(filepath.Separator), path)
	command.Dir = module
	out, err := command.CombinedOutput()
	require.NoError(w.t, err, string(out))
}

func (w workshop) run(program string, args ...string) (string, error) {
	return w.runWith(nil, program, args...)
}

func (w workshop) runWith(env []string, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(w.t.Context(), 15*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, program, args...)
	command.Dir, command.Env = w.dir, append(os.Environ(), env...)
	command.Env = append(command.Env, "REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true", "SCARF_ANALYTICS=false")
	out, err := command.CombinedOutput()
	return string(out), err
}

func (w workshop) must(program string, args ...string) {
	w.t.Helper()
	out, err := w.run(program, args...)
	require.NoError(w.t, err, "%s %s:\n%s", program, strings.Join(args, " "), out)
}
