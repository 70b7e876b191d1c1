package setup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"signalbox/internal/version"
)

// Log makes the process's log: JSON lines on standard error.
func Log(level slog.Level, process string) *slog.Logger {
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level})).With("process", process)
	slog.SetDefault(log)
	return log
}

// Metrics makes a registry with what Go and the operating system tell of this process, and what it is: a program of ours, of some version.
func Metrics(program string) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildInfo(program))
	return registry
}

// buildInfo is always 1: what it says is in its labels.
func buildInfo(program string) prometheus.Collector {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "signalbox_build_info", Help: "1: the program that this process runs, its version, and the version of Go it was built with."}, []string{"program", "version", "go"})
	g.WithLabelValues(program, version.Number(), runtime.Version()).Set(1)
	return g
}

// Health serves /healthz and /readyz for a process that has no API of its own. It is not ready before it is told what to ask, nor after Drain.
type Health struct {
	ready   atomic.Pointer[func(context.Context) error]
	unready atomic.Bool // as it said last
	mux     *http.ServeMux
	server  *http.Server
	address string // where it listens
}

// ServeHealth begins to serve, until Stop.
func ServeHealth(address string) (*Health, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	h := &Health{mux: http.NewServeMux(), address: listener.Addr().String()}
	h.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	h.mux.HandleFunc("GET /readyz", h.tell)
	h.server = &http.Server{Handler: h.mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := h.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			slog.Error("health server", "error", err)
		}
	}()
	return h, nil
}

// Handle serves something more.
func (h *Health) Handle(pattern string, handler http.Handler) { h.mux.Handle(pattern, handler) }

// Ready says whom to ask whether the process is ready.
func (h *Health) Ready(ask func(context.Context) error) { h.ready.Store(&ask) }

// Drain has it not ready any more.
func (h *Health) Drain() { h.ready.Store(nil) }

// Stop ends it.
func (h *Health) Stop() { _ = h.server.Close() }

func (h *Health) tell(w http.ResponseWriter, r *http.Request) {
	ask := h.ready.Load()
	if ask == nil {
		http.Error(w, "starting or ending", http.StatusServiceUnavailable)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	if err := (*ask)(ctx); err != nil {
		http.Error(w, "not ready", http.StatusServiceUnavailable)
		if h.unready.CompareAndSwap(false, true) { // once, and not each time that somebody asks
			slog.Warn("not ready", "error", err)
		}
		return
	}
	h.unready.Store(false)
	fmt.Fprintln(w, "ok")
}
