// Package harness runs real programs for end-to-end tests: it builds them once, starts and kills them, waits for what
// they promise, and plays the receivers that they call. It knows nothing about the product.
package harness

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/cmd/dev/internal/ports"
)

// Main runs a package's tests and removes what Build made. Use it as os.Exit(harness.Main(m)) in TestMain.
func Main(m *testing.M) int {
	code := m.Run()
	failed.Store(code != 0)
	kept.end()
	built.clean()
	return code
}

// ForPackage gives what tests start things with that others of their package use too: those end in Main, not with the test that was first.
// Main has to be in TestMain.
func ForPackage(t testing.TB) testing.TB { return forPackage{t} }

type forPackage struct{ testing.TB }

// failed tells that one of the package's tests did, once all are over.
var failed atomic.Bool

// Failed tells whether a test of the package did, once all are over: what they shared may be why.
func (forPackage) Failed() bool { return failed.Load() }

// Logf writes to standard error: the test that was first may be over, and takes no more.
func (forPackage) Logf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// Cleanup has f run by Main, what was registered last first.
func (forPackage) Cleanup(f func()) { kept.add(f) }

// TempDir makes a folder that Main removes.
func (p forPackage) TempDir() string {
	p.Helper()
	dir, err := os.MkdirTemp("", "e2e-package-")
	if err != nil {
		p.Fatalf("make a folder: %v", err)
	}
	p.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// Context is not over when the first test is.
func (forPackage) Context() context.Context { return context.Background() }

var kept cleanups

type cleanups struct {
	mu   sync.Mutex
	list []func()
}

func (c *cleanups) add(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, f)
}

func (c *cleanups) end() {
	for _, f := range slices.Backward(c.list) {
		f()
	}
}

// Build compiles a main package once per test run and returns the path of the binary. dir is where the go command runs,
// so that packages of another module can be named; pkg is an import path or a path relative to dir. Without Main in
// TestMain the binaries stay in the temporary directory.
func Build(t testing.TB, dir, pkg string) string {
	t.Helper()
	binary, err := built.get(dir, pkg)
	if err != nil {
		t.Fatalf("build %s: %v", pkg, err)
	}
	return binary
}

var built binaries

// binaries keeps what was built, one build at a time: builds in parallel would only fight for the machine.
type binaries struct {
	mu    sync.Mutex
	dir   string
	paths map[string]string
}

func (b *binaries) get(dir, pkg string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := dir + "\x00" + pkg
	if path, ok := b.paths[key]; ok {
		return path, nil
	}
	if b.dir == "" {
		made, err := os.MkdirTemp("", "e2e-binaries-")
		if err != nil {
			return "", err
		}
		b.dir, b.paths = made, map[string]string{}
	}
	folder, err := filepath.Abs(filepath.Join(dir, pkg)) // for its name alone
	if err != nil {
		return "", err
	}
	path := filepath.Join(b.dir, fmt.Sprint(len(b.paths)), filepath.Base(folder))
	command := exec.Command("go", "build", "-o", path, pkg)
	command.Dir = dir
	if out, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	b.paths[key] = path
	return path, nil
}

func (b *binaries) clean() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dir != "" {
		_ = os.RemoveAll(b.dir)
		b.dir, b.paths = "", nil
	}
}

// FreePort returns a loopback port on which nothing listens, for a program that is told its port.
func FreePort(t testing.TB) int {
	t.Helper()
	found, err := ports.Free(1)
	if err != nil {
		t.Fatal(err)
	}
	return found[0]
}

// Until polls the condition until it returns nil and fails the test with its last error after the given time.
func Until(t testing.TB, what string, within time.Duration, condition func() error) {
	t.Helper()
	const first, most = 5 * time.Millisecond, 100 * time.Millisecond
	deadline := time.Now().Add(within)
	for pause := first; ; pause = min(2*pause, most) {
		err := condition()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s: %v", what, within, err)
		}
		time.Sleep(pause)
	}
}

// UntilOK polls a URL until it answers 200.
func UntilOK(t testing.TB, url string, within time.Duration) {
	t.Helper()
	// A timeout per try, so that one answer that hangs does not use up all the time.
	client := http.Client{Timeout: 2 * time.Second}
	Until(t, "GET "+url, within, func() error {
		response, err := client.Get(url)
		if err != nil {
			return err
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return errors.New(response.Status)
		}
		return nil
	})
}
