package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/stretchr/testify/require"
)

func TestWhatIsNoReleaseIsRefused(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1")
	root, out, full := t.TempDir(), t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(root, "CHANGELOG.md"), []byte("# Changelog\n\n## Unreleased\n\n## 1.2.30\n\n## 1.2.3 - 2026-12-01\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(full, "older"), nil, 0o600))
	for _, c := range []struct{ version, out, platforms, says string }{
		{"1.2.3", out, "linux/amd64", "must be like v1.2.3"},
		{"v1.2", out, "linux/amd64", "must be like v1.2.3"},
		{"v01.2.3", out, "linux/amd64", "must be like v1.2.3"},
		{"v1.2.4", out, "linux/amd64", `no section "## 1.2.4"`},
		{"v1.2.3", "", "linux/amd64", "-out"},
		{"v1.2.3", full, "linux/amd64", "is not empty"},
		{"v1.2.3", out, "linux/amd64,plan9/386", `"plan9/386" is none of linux/amd64, linux/arm64, darwin/arm64`},
	} {
		_, _, err := prepare(t.Context(), c.version, root, c.out, c.platforms)
		require.ErrorContains(t, err, c.says, "%+v", c)
	}
	r, platforms, err := prepare(t.Context(), "v1.2.3", root, out, "linux/amd64,linux/arm64")
	require.NoError(t, err)
	require.Equal(t, []string{"linux/amd64", "linux/arm64"}, platforms)
	require.Equal(t, time.Unix(1, 0).UTC(), r.at)
}

// TestARelease makes one for this machine, twice, and looks at all of it: what it says, what it has, and that its image runs as it is.
func TestARelease(t *testing.T) {
	platform := "linux/" + runtime.GOARCH
	produce := func() string {
		t.Helper()
		r := &release{root: "../..", out: t.TempDir(), version: "v0.0.1-test", at: time.Unix(1700000000, 0).UTC(), say: t.Logf}
		root, err := filepath.Abs(r.root)
		require.NoError(t, err)
		r.root = root
		require.NoError(t, r.archives(t.Context(), []string{platform}, r.programs()))
		require.NoError(t, r.images([]string{platform}))
		require.NoError(t, r.chart())
		require.NoError(t, r.checksums())
		return r.out
	}
	out := produce()
	sums, err := os.ReadFile(filepath.Join(out, "SHA256SUMS"))
	require.NoError(t, err)
	again, err := os.ReadFile(filepath.Join(produce(), "SHA256SUMS"))
	require.NoError(t, err)
	require.Equal(t, string(sums), string(again), "the same commit gives the same bytes")
	require.NoFileExists(t, filepath.Join(out, ".built"))

	check := exec.Command("sha256sum", "--check", "--strict", "SHA256SUMS")
	check.Dir = out
	said, err := check.CombinedOutput()
	require.NoError(t, err, "%s", said)

	base := "signalbox_0.0.1-test_linux_" + runtime.GOARCH
	archive, err := os.Open(filepath.Join(out, base+".tar.gz"))
	require.NoError(t, err)
	defer archive.Close()
	plain, err := gzip.NewReader(archive)
	require.NoError(t, err)
	dir := t.TempDir()
	extract(t, plain, dir)
	for _, along := range []string{"LICENSE", "NOTICE", "CHANGELOG.md", "README.md"} {
		want, err := os.ReadFile(filepath.Join("../..", along))
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join(dir, base, along))
		require.NoError(t, err)
		require.Equal(t, want, got, along)
	}
	licences, err := os.ReadFile(filepath.Join(dir, base, "THIRD_PARTY_LICENSES.txt"))
	require.NoError(t, err)
	for _, linked := range []string{"go.temporal.io/sdk v", "github.com/gofiber/fiber/v2 v", "github.com/jackc/pgx/v5 v", "\nGo\n", "console/assets/htmx.LICENSE.txt\n"} {
		require.True(t, strings.Contains(string(licences), linked), linked)
	}
	require.False(t, strings.Contains(string(licences), "pgregory.net/rapid"), "which is not linked")
	for _, p := range all {
		name, linked := p, "go.temporal.io/sdk"
		if p == "signalbox" {
			name, linked = "client", "github.com/spf13/cobra"
		}
		program := filepath.Join(dir, base, p)
		said, err := exec.Command(program, "-version").Output()
		require.NoError(t, err, p)
		require.Equal(t, fmt.Sprintf("signalbox %s v0.0.1-test (%s linux/%s)\n", name, runtime.Version(), runtime.GOARCH), string(said))
		interpreter, err := exec.Command("readelf", "-l", program).Output()
		if !errors.Is(err, exec.ErrNotFound) {
			require.NoError(t, err)
			require.NotContains(t, string(interpreter), "INTERP", "%s is static", p)
		}
		bom, err := os.ReadFile(filepath.Join(out, p+"_0.0.1-test_linux_"+runtime.GOARCH+".cdx.json"))
		require.NoError(t, err)
		var bill struct {
			Format     string `json:"bomFormat"`
			Components []struct{ Name, Version string }
		}
		require.NoError(t, json.Unmarshal(bom, &bill))
		require.Equal(t, "CycloneDX", bill.Format)
		names := map[string]string{}
		for _, c := range bill.Components {
			names[c.Name] = c.Version
		}
		require.NotEmpty(t, names[linked], p)
		require.Equal(t, runtime.Version(), names["std"], "Go's own library, in which faults are found too")
	}
	t.Run("the chart", func(t *testing.T) {
		packed, err := os.Open(filepath.Join(out, "signalbox-chart_0.0.1-test.tgz"))
		require.NoError(t, err)
		defer packed.Close()
		plain, err := gzip.NewReader(packed)
		require.NoError(t, err)
		dir := t.TempDir()
		extract(t, plain, dir)
		about, err := os.ReadFile(filepath.Join(dir, "signalbox", "Chart.yaml"))
		require.NoError(t, err)
		require.True(t, strings.Contains(string(about), "\nappVersion: \"0.0.1-test\"\n"), "it runs the image of its version")
		require.NoError(t, filepath.WalkDir("../helm/signalbox", func(path string, d fs.DirEntry, err error) error {
			require.NoError(t, err)
			if d.IsDir() || d.Name() == "Chart.yaml" {
				return nil
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			name, err := filepath.Rel("../helm", path)
			require.NoError(t, err)
			got, err := os.ReadFile(filepath.Join(dir, name))
			require.NoError(t, err)
			require.Equal(t, want, got, name)
			return nil
		}))
	})
	t.Run("the image", func(t *testing.T) {
		runImage(t, filepath.Join(out, "signalbox-image_0.0.1-test_linux_"+runtime.GOARCH+".tar"))
	})
}

// runImage unpacks an image and runs its programs in it, as its user, with nothing else of this machine.
func runImage(t *testing.T, path string) {
	image, err := tarball.ImageFromPath(path, nil)
	require.NoError(t, err)
	config, err := image.ConfigFile()
	require.NoError(t, err)
	require.Equal(t, []string{"linux", runtime.GOARCH, "10001:10001", "api"}, []string{config.OS, config.Architecture, config.Config.User, config.Config.Cmd[0]})
	if os.Geteuid() != 0 {
		require.Empty(t, os.Getenv("CI"), "programs run within an image by chroot, which takes root")
		t.Skip("*** the image is NOT run: that takes root")
	}
	root := t.TempDir()
	files := mutate.Extract(image)
	defer files.Close()
	extract(t, files, root)
	for folder := root; folder != "/" && folder != os.TempDir(); folder = filepath.Dir(folder) {
		require.NoError(t, os.Chmod(folder, 0o755))
	}
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && path != filepath.Join(root, "tmp") && path != root {
			info, err := d.Info()
			require.NoError(t, err)
			require.Zero(t, info.Mode().Perm()&0o022, "%s can be written by others than root", path)
		}
		return err
	}))
	inside := func(env []string, program string, args ...string) *exec.Cmd {
		c := exec.Command(program, args...)
		c.Path, c.Err, c.Dir, c.Env = "/usr/local/bin/"+program, nil, "/", env
		c.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 10001, Gid: 10001}}
		return c
	}
	for _, p := range servers {
		said, err := inside(nil, p, "-help").CombinedOutput()
		require.NoError(t, err, "%s: %s", p, said)
		require.Contains(t, string(said), "SIGNALBOX_DATABASE_URL", p)
	}

	// Nothing is behind it, and it waits for that: it is up and not ready.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	var logs bytes.Buffer
	api := inside([]string{"SIGNALBOX_HTTP_ADDRESS=" + address, "SIGNALBOX_DATABASE_URL=postgres://nobody@127.0.0.1:1/nothing?sslmode=disable",
		"SIGNALBOX_MASTER_KEY=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "SIGNALBOX_TEMPORAL_ADDRESS=127.0.0.1:1"}, "api")
	api.Stdout, api.Stderr = &logs, &logs
	require.NoError(t, api.Start())
	ended := make(chan error, 1)
	go func() { ended <- api.Wait() }()
	require.Eventually(t, func() bool {
		answer, err := http.Get("http://" + address + "/healthz")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	}, time.Minute, 20*time.Millisecond)
	answer, err := http.Get("http://" + address + "/readyz")
	require.NoError(t, err)
	answer.Body.Close()
	require.Equal(t, http.StatusServiceUnavailable, answer.StatusCode)
	require.NoError(t, api.Process.Signal(syscall.SIGTERM))
	require.NoError(t, <-ended, logs.String())
}

// extract unpacks an archive into a folder, as its headers say.
func extract(t *testing.T, from io.Reader, dir string) {
	t.Helper()
	archive := tar.NewReader(from)
	for {
		header, err := archive.Next()
		if err == io.EOF {
			return
		}
		require.NoError(t, err)
		require.True(t, filepath.IsLocal(header.Name), header.Name)
		path := filepath.Join(dir, header.Name)
		if header.Typeflag == tar.TypeDir {
			require.NoError(t, os.MkdirAll(path, 0o755))
			require.NoError(t, os.Chmod(path, fs.FileMode(header.Mode).Perm()))
			continue
		}
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		content, err := io.ReadAll(archive)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, content, fs.FileMode(header.Mode).Perm()))
		require.NoError(t, os.Chmod(path, fs.FileMode(header.Mode).Perm()))
	}
}

// TestEverythingHandedOutHasItsLicence gathers the licences of all that is handed out, the development system included, which takes long to build.
func TestEverythingHandedOutHasItsLicence(t *testing.T) {
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	r := &release{root: root}
	for _, k := range []kind{r.programs(), r.development()} {
		for _, p := range known {
			text, err := r.licences(t.Context(), k.module, p, k.packages)
			require.NoError(t, err, "%s on %s", k.name, p)
			require.True(t, strings.Contains(string(text), "go.temporal.io/sdk v"))
			require.Equal(t, k.name == "signalbox-dev", strings.Contains(string(text), "go.temporal.io/server v"))
		}
	}
}

// TestWhatHasNoLicenceIsNotHandedOut makes sure that a module without one is noticed.
func TestWhatHasNoLicenceIsNotHandedOut(t *testing.T) {
	module, dependency := t.TempDir(), t.TempDir()
	write := func(dir, name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write(module, "go.mod", "module signalbox/sample\n\ngo 1.26\n\nrequire example.test/dependency v0.0.0\n\nreplace example.test/dependency => "+dependency+"\n")
	write(module, "main.go", "package main\n\nimport _ \"example.test/dependency\"\n\nfunc main() {}\n")
	write(dependency, "go.mod", "module example.test/dependency\n")
	write(dependency, "dependency.go", "package dependency\n")
	r := &release{root: "../.."}
	_, err := r.licences(t.Context(), module, "", []string{"."})
	require.ErrorContains(t, err, "example.test/dependency")
	require.ErrorContains(t, err, "has no licence")

	write(dependency, "LICENSE.md", "do as you like")
	text, err := r.licences(t.Context(), module, "", []string{"."})
	require.NoError(t, err)
	require.True(t, strings.Contains(string(text), "do as you like"))
}
