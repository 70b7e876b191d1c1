// Package embedded runs a whole Temporal server, with its web UI, inside this process: all four services over SQLite, or over PostgreSQL,
// on loopback only. It is for dev mode, end-to-end tests and benchmarks. It has no authentication whatever.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.temporal.io/server/temporal"

	"signalbox/cmd/dev/internal/ports"
)

const (
	// readyWithin bounds Start when the caller's context does not.
	readyWithin = 30 * time.Second
	// closeWithin bounds Close.
	closeWithin = 5 * time.Second
)

// Server is a running Temporal server. Its methods are safe for concurrent use.
type Server struct {
	hostPort string
	temporal temporal.Server
	ui       *webUI
	log      *logger
	lock     *fileLock

	closing  sync.Once
	closeErr error
}

// Start brings a server up and returns once it answers for its namespace, usually well under a second. The context bounds the
// start only; end the server with Close. The error names the setting at fault where there is one: a port in use, a data
// file that another server holds or that was made for another database schema, a search attribute of another type.
func Start(ctx context.Context, o Options) (_ *Server, err error) {
	o, err = o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()

	s := &Server{log: newLogger(o.Logger)}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("embedded: %w", err), s.Close())
		}
	}()

	at, err := place(o)
	if err != nil {
		return nil, err
	}
	s.hostPort = ports.Address(at.frontend)

	if o.DataFile != "" {
		if err := os.MkdirAll(filepath.Dir(o.DataFile), 0o755); err != nil {
			return nil, err
		}
		if s.lock, err = lockFile(o.DataFile); err != nil {
			return nil, err
		}
	}
	stores, err := openStores(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := ensureNamespace(ctx, stores.main, o); err != nil {
		return nil, err
	}

	server, err := newTemporal(o, at, stores, s.log)
	if err != nil {
		return nil, err
	}
	if err := server.Start(); err != nil {
		return nil, fmt.Errorf("start Temporal: %w", err)
	}
	s.temporal = server

	if at.ui != 0 {
		s.ui = startUI(at.ui, s.hostPort, o)
	}
	if err := awaitFrontend(ctx, s.hostPort, o.Namespace); err != nil {
		return nil, err
	}
	if s.ui != nil {
		if err := s.ui.await(ctx); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// HostPort is the address for Temporal clients, such as "127.0.0.1:7233".
func (s *Server) HostPort() string { return s.hostPort }

// UIAddress is the address of the web UI for a browser, such as "http://127.0.0.1:8233"; empty when there is none.
func (s *Server) UIAddress() string {
	if s.ui == nil {
		return ""
	}
	return s.ui.address
}

// Close stops everything and lets go of the data file, within about five seconds. What the server acknowledged is
// durable without it: Close is courtesy to clients that are connected, not a condition for keeping state. It errs when
// the server did not stop in time. Closing again returns the first result.
func (s *Server) Close() error {
	s.closing.Do(func() {
		// A server that stops reports its own cancelled work as errors.
		s.log.mute()
		if s.ui != nil {
			s.ui.stop()
		}
		if s.temporal != nil {
			s.closeErr = stopWithin(s.temporal, closeWithin)
		}
		s.lock.release()
	})
	return s.closeErr
}

func stopWithin(server temporal.Server, limit time.Duration) error {
	stopped := make(chan error, 1)
	go func() { stopped <- server.Stop() }()
	select {
	case err := <-stopped:
		if err != nil {
			return fmt.Errorf("embedded: stop Temporal: %w", err)
		}
		return nil
	case <-time.After(limit):
		return fmt.Errorf("embedded: Temporal did not stop within %s", limit)
	}
}
