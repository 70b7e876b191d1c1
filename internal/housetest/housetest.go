// Package housetest has a Signalbox to call, for tests of what calls it: the house API and the families publish and exception over TCP, with the true desk and the true store
// on SQLite, and an engine in memory.
package housetest

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/api/apitest"
	"signalbox/api/audit"
	"signalbox/api/calendar"
	"signalbox/api/directory"
	"signalbox/api/exception"
	"signalbox/api/issue"
	"signalbox/api/publish"
	"signalbox/api/service"
	"signalbox/api/subscription"
)

// House is one that serves until its test is over.
type House struct {
	*apitest.Backend
	URL   string
	Began atomic.Pointer[func(redelivery string)] // is told of redeliveries that were asked for; nil: nobody is
}

// New starts one. Its apps are those of apitest.
func New(t testing.TB) *House {
	t.Helper()
	h := &House{Backend: apitest.NewBackend(t, nil)}
	begin := func(_ context.Context, redelivery string) {
		if f := h.Began.Load(); f != nil {
			(*f)(redelivery)
		}
	}
	apps, now := apitest.NewApps(), time.Now
	server := api.New(api.Config{}, apps, nil, slog.New(slog.DiscardHandler),
		(&issue.Handler{Desk: h, Tickets: h, Services: h, Addresses: h, Begin: begin}).Family(),
		(&service.Handler{Desk: h, Services: h, Now: now}).Family(),
		(&subscription.Handler{Desk: h, Subscriptions: h, Deliveries: h, Begin: begin}).Family(),
		(&calendar.Handler{Desk: h, Calendars: h, Now: now}).Family(),
		(&directory.Handler{Desk: h, People: h, Now: now}).Family(),
		(&audit.Handler{Reader: h}).Family(),
		(&publish.Handler{Desk: h, Stream: h, Apps: apps, Now: now}).Family(),
		(&exception.Handler{Desk: h, Budget: h, Limit: 60, Now: now}).Family(),
	)
	server.CacheReads(h)
	server.AuditRefusals(h)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	h.URL = "http://" + listener.Addr().String()
	over := make(chan error, 1)
	go func() { over <- server.Serve(listener) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := errors.Join(server.Shutdown(ctx), <-over); err != nil {
			t.Errorf("the house did not close: %v", err)
		}
	})
	return h
}
