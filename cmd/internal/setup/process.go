package setup

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"signalbox/internal/version"
)

// Main runs a process: it loads nothing itself, ends run's context on Ctrl-C or SIGTERM, and makes any error one clear line and exit code 1. With -version as its first
// argument it prints that instead.
func Main(name string, run func(ctx context.Context) error) {
	if len(os.Args) > 1 && (os.Args[1] == "-version" || os.Args[1] == "--version") {
		fmt.Println(version.Line(name))
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %s\n", name, oneLine(err))
		os.Exit(1)
	}
}

// UntilEnded is for processes that serve until they are told to end: what fails because they were told so, even before they served, is printed and no
// error. Requests that were cut off at the end are one.
func UntilEnded(run func(ctx context.Context) error) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		floor := make([]byte, heapFloor)
		defer runtime.KeepAlive(floor)
		err := run(ctx)
		if err == nil || ctx.Err() == nil || errors.Is(err, errCutOff) {
			return err
		}
		fmt.Fprintf(os.Stderr, "told to end: %s\n", oneLine(err))
		return nil
	}
}

// heapFloor is memory that a process which serves holds and never touches, so that it takes none of the machine. The collector takes it for data, and comes when as much more has been allocated as there
// is (GOGC): each time that so much is, rather than each time that the few megabytes are which a process has, and that with each some hundred requests.
const heapFloor = 32 << 20

// errCutOff means that requests were still under way when the time for them was over.
var errCutOff = errors.New("requests under way were cut off")

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// Server is what Serve serves.
type Server interface {
	Serve(net.Listener) error
	Drain() // it will be shut down
	Shutdown(context.Context) error
}

// shutdownTimeout bounds how long requests under way may take when a process is asked to end.
const shutdownTimeout = 15 * time.Second

// Serve serves what comes to the listener until ctx is over. Then it says that it is not ready, goes on for the time that whoever sends requests needs to
// hear so, and lets requests under way finish. ready, if given, is told the address.
func Serve(ctx context.Context, server Server, listener net.Listener, delay time.Duration, ready ...func(address string)) error {
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	for _, tell := range ready {
		tell(listener.Addr().String())
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	server.Drain()
	select {
	case err := <-failed:
		return err
	case <-time.After(delay):
	}
	shutdown, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(shutdown); err != nil {
		return fmt.Errorf("%w: %w", errCutOff, err)
	}
	return nil
}
