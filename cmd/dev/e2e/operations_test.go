package e2e

import (
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
)

// administrator types what docs/operations.md says, into a shell that has the programs of a release and PostgreSQL's own.
type administrator struct {
	testing.TB
	env []string
	dir string
}

func (a administrator) run(text string, more ...string) string {
	a.Helper()
	command := exec.CommandContext(a.Context(), "bash", "-e", "-o", "pipefail", "-c", text)
	command.Dir, command.Env = a.dir, slices.Concat(os.Environ(), a.env, more)
	said, err := command.CombinedOutput()
	require.NoError(a, err, "%s\n%s", text, said)
	return string(said)
}

// section is the text of docs/operations.md below a heading, up to the next one.
func section(t testing.TB, heading string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, "docs/operations.md"))
	require.NoError(t, err)
	_, text, found := strings.Cut(string(raw), "\n"+heading+"\n")
	require.True(t, found, "%s is not there", heading)
	if next := regexp.MustCompile(`(?m)^#+ `).FindStringIndex(text); next != nil {
		text = text[:next[0]]
	}
	return text
}

// blocks are those of sh in docs/operations.md, by the first word that tells them apart.
func blocks(t testing.TB) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, p := range parts(t, "docs/operations.md") {
		if p.info == "sh" {
			found[strings.Join(strings.Fields(p.text)[:2], " ")] = p.text
		}
	}
	return found
}

// TestOperations installs, dumps, restores, reconciles, verifies, rebuilds and replaces the master key as docs/operations.md says, in its own words.
func TestOperations(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	tools := filepath.Dir(cluster.Program("psql"))
	for _, tool := range []string{"psql", "pg_dump", "pg_restore", "createdb"} {
		if _, err := os.Stat(filepath.Join(tools, tool)); err != nil && os.Getenv("CI") == "" {
			t.Skipf("*** NOT TESTED: no %s beside PostgreSQL's server ***", tool)
		}
	}
	db, err := sql.Open("pgx", cluster.URL()+"/postgres?sslmode=disable")
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), "CREATE DATABASE signalbox")
	require.NoError(t, err)
	require.NoError(t, db.Close())
	p := startProduction(t, cluster.URL()+"/signalbox?sslmode=disable")
	worker := p.startWorker(t, "tickets")

	server, err := url.Parse(cluster.URL())
	require.NoError(t, err)
	password, _ := server.User.Password()
	bin := t.TempDir()
	for _, program := range []string{"migrate", "signalbox"} {
		path, err := filepath.Abs(binary(t, program))
		require.NoError(t, err)
		require.NoError(t, os.Symlink(path, filepath.Join(bin, program)))
	}
	a := administrator{t, slices.Concat(p.env, []string{"PATH=" + bin + ":" + tools + ":" + os.Getenv("PATH"), "PGHOST=" + server.Hostname(), "PGPORT=" + server.Port(), "PGUSER=" + server.User.Username(),
		"PGPASSWORD=" + password, "PGDATABASE=postgres", "SIGNALBOX_URL=" + p.api}), t.TempDir()}

	installing := section(t, "## Installing")
	require.Contains(t, installing, "`migrate app create` for the first caller")
	require.Contains(t, installing, "`signalbox open` gives a number")
	a.env = append(a.env, "SIGNALBOX_SECRET="+strings.TrimSpace(a.run("migrate app create -code first -tenant default")))
	number := strings.TrimSpace(a.run("signalbox open --title 'It works'"))
	require.Regexp(t, `^IM\d{24}$`, number)

	typed := blocks(t)
	require.Len(t, typed, 2)
	// Stop, restore, and go on as the list says.
	require.Zero(t, p.apis.Terminate(time.Minute))
	require.Zero(t, worker.Terminate(time.Minute))
	a.run(typed["pg_dump --format=custom"])
	worker = p.startWorker(t, "tickets")
	steps := regexp.MustCompile("`(migrate[^`]*)`").FindAllStringSubmatch(strings.Split(section(t, "### After a restore, of either store"), "What the lines say")[0], -1)
	ran := []string{}
	for _, step := range steps {
		ran = append(ran, step[1])
		a.run(step[1])
	}
	require.Equal(t, []string{"migrate", "migrate reconcile -dry-run", "migrate reconcile", "migrate verify"}, ran)
	require.Contains(t, a.run(typed["migrate rebuild"]), "nothing was changed")

	// Another master key, without a stop: every process has both, all is encrypted anew, and then the old one is gone.
	keys := section(t, "## Keys")
	for _, words := range []string{"SIGNALBOX_OLD_MASTER_KEYS", "`migrate reseal`"} {
		require.Contains(t, keys, words)
	}
	raw := make([]byte, 32)
	_, err = rand.Read(raw)
	require.NoError(t, err)
	place := slices.IndexFunc(p.env, func(v string) bool { return strings.HasPrefix(v, "SIGNALBOX_MASTER_KEY=") })
	_, old, _ := strings.Cut(p.env[place], "=")
	fresh := "SIGNALBOX_MASTER_KEY=" + base64.StdEncoding.EncodeToString(raw)
	a.run("migrate reseal", fresh, "SIGNALBOX_OLD_MASTER_KEYS="+old)
	require.Zero(t, worker.Terminate(time.Minute))
	p.env[place] = fresh
	p.startWorker(t, "tickets")
	p.startAPI(t)
	harness.UntilOK(t, p.api+"/readyz", time.Minute)
	require.Contains(t, a.run("signalbox show "+number+" && signalbox act "+number+" accept --as li"), "It works")
}
