// Package e2e tests the product as its users have it: separate processes, a real Temporal server, a real PostgreSQL, real receivers.
package e2e

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"signalbox/cmd/dev/e2e/harness"
	"signalbox/cmd/dev/embedded"
)

func TestMain(m *testing.M) {
	if port := os.Getenv(temporalPort); port != "" {
		if err := serveTemporal(port, os.Getenv(temporalFile), os.Getenv(temporalPostgres)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(harness.Main(m))
}

// This test binary is its own Temporal server: started again with these in its environment it serves instead of testing. So a server can be
// killed like any other process, and nothing more has to be built.
const (
	temporalPort     = "E2E_TEMPORAL_PORT"
	temporalFile     = "E2E_TEMPORAL_FILE"
	temporalPostgres = "E2E_TEMPORAL_POSTGRES"
)

// serving is what it says once it serves.
const serving = "Temporal is serving"

// serveTemporal runs a server over a file or a PostgreSQL server until it is asked to end. It knows nothing of the product: what that needs, bin/migrate makes.
func serveTemporal(port, file, postgres string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	n, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	server, err := embedded.Start(ctx, embedded.Options{DataFile: file, Postgres: postgres, Port: n})
	if err != nil {
		return err
	}
	fmt.Println(serving, server.HostPort())
	<-ctx.Done()
	return server.Close()
}

// Folders, as seen from here.
const (
	root   = "../../.."
	module = ".." // of bin/dev
)

// binary builds one of the product's programs.
func binary(t testing.TB, name string) string {
	t.Helper()
	if name == "dev" {
		return harness.Build(t, module, ".")
	}
	return harness.Build(t, root, "./cmd/"+name)
}

// sample reads one of the documents' own examples.
func sample(t testing.TB, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, "api", path))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
