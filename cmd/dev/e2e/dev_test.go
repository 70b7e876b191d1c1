package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"signalbox/cmd/dev/e2e/harness"
)

// dev is bin/dev with a folder of its own, on ports that stay the same when it is started again.
type dev struct {
	dir               string
	api, ui, temporal string
	receiver          string
	env               []string
	process           *harness.Process
}

// startDev starts bin/dev and waits until it is ready.
func startDev(t testing.TB, env ...string) *dev {
	t.Helper()
	api, ui, temporal, receiver := harness.FreePort(t), harness.FreePort(t), harness.FreePort(t), harness.FreePort(t)
	d := &dev{dir: t.TempDir(), api: fmt.Sprintf("http://127.0.0.1:%d", api), ui: fmt.Sprintf("http://127.0.0.1:%d", ui),
		temporal: fmt.Sprintf("127.0.0.1:%d", temporal), receiver: fmt.Sprintf("http://127.0.0.1:%d", receiver)}
	d.env = append([]string{fmt.Sprintf("SIGNALBOX_HTTP_ADDRESS=127.0.0.1:%d", api), fmt.Sprintf("SIGNALBOX_UI_PORT=%d", ui),
		fmt.Sprintf("SIGNALBOX_TEMPORAL_PORT=%d", temporal), fmt.Sprintf("SIGNALBOX_RECEIVER_PORT=%d", receiver)}, env...)
	d.start(t)
	return d
}

var shared struct {
	sync.Mutex
	dev *dev
}

// sharedDev is a bin/dev that tests of this package use together: tests that neither end it nor look at all that is in it.
func sharedDev(t testing.TB) *dev {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.dev == nil {
		shared.dev = startDev(harness.ForPackage(t))
	}
	return shared.dev
}

// start starts it, again after it has ended, and tells how long it took to be ready.
func (d *dev) start(t testing.TB) time.Duration {
	t.Helper()
	program := binary(t, "dev")
	began := time.Now()
	d.process = harness.Start(t, harness.Command{Path: program, Env: d.env, Dir: d.dir})
	harness.UntilOK(t, d.api+"/readyz", time.Minute)
	return time.Since(began)
}

func (d *dev) caller() *caller { return newCaller(d.api, "demo-secret") }

// file is the path of one of its data files.
func (d *dev) file(name string) string { return filepath.Join(d.dir, ".data", name) }

// dialTemporal makes a client that says nothing.
func dialTemporal(t testing.TB, hostPort, namespace string) client.Client {
	t.Helper()
	var c client.Client
	harness.Until(t, "Temporal on "+hostPort, time.Minute, func() (err error) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		c, err = client.DialContext(ctx, client.Options{HostPort: hostPort, Namespace: namespace, Logger: quiet{}})
		return err
	})
	t.Cleanup(c.Close)
	return c
}

type quiet struct{}

var _ log.Logger = quiet{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}
