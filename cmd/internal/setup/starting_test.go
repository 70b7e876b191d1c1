package setup

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWhatIsAwayIsWaitedForAndWhatIsWrongIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := slog.New(slog.NewTextHandler(&out, nil))
		away, wrong := errors.New("connection refused"), errors.New("password authentication failed")
		tries := 0
		wait := func(ctx context.Context, until int, then error) error {
			tries = 0
			_, err := await(ctx, log, "database", func(err error) bool { return err == away }, func(context.Context) (int, error) {
				if tries++; tries < until {
					return 0, away
				}
				return 1, then
			})
			return err
		}
		require.NoError(t, wait(t.Context(), 35, nil))
		require.Equal(t, 35, tries)
		require.Equal(t, 4, strings.Count(out.String(), "msg=waiting "), "at first, and every ten seconds: %s", out.String())
		require.Equal(t, 1, strings.Count(out.String(), "msg=waited "))
		require.ErrorIs(t, wait(t.Context(), 1, wrong), wrong)
		require.Equal(t, 1, tries)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.ErrorIs(t, wait(ctx, 1000, nil), context.DeadlineExceeded)
	})
}

// TestTheLobbyIsLeftWithoutAGap has somebody ask all the time while the process begins to serve: nobody is turned away by the port.
func TestTheLobbyIsLeftWithoutAGap(t *testing.T) {
	lobby, err := OpenLobby("127.0.0.1:0")
	require.NoError(t, err)
	base := "http://" + lobby.listener.Addr().String()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	get := func(path string) int {
		response, err := client.Get(base + path)
		if err != nil {
			t.Error(err)
			return 0
		}
		_ = response.Body.Close()
		return response.StatusCode
	}
	require.Equal(t, []int{200, 503, 503}, []int{get("/healthz"), get("/readyz"), get("/api/issue")})
	var asking sync.WaitGroup
	var before, after atomic.Int32
	for range 4 {
		asking.Go(func() {
			for after.Load() < 50 && !t.Failed() {
				switch get("/readyz") {
				case 503:
					before.Add(1)
				case 200:
					after.Add(1)
				}
			}
		})
	}
	for before.Load() < 50 && !t.Failed() {
		time.Sleep(time.Millisecond)
	}
	listener, err := lobby.Leave()
	require.NoError(t, err)
	server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	t.Cleanup(func() { _ = server.Close() })
	go func() { _ = server.Serve(listener) }()
	asking.Wait()
}

// TestALobbyThatNobodyLeavesEnds is for a process that cannot begin.
func TestALobbyThatNobodyLeavesEnds(t *testing.T) {
	for _, left := range []bool{false, true} {
		lobby, err := OpenLobby("127.0.0.1:0")
		require.NoError(t, err)
		if left {
			_, err := lobby.Leave()
			require.NoError(t, err)
		}
		lobby.Close()
		_, err = net.Dial("tcp", lobby.listener.Addr().String())
		require.Error(t, err)
	}
}

// told is a server that notes what it is told.
type told struct {
	http.Server
	mu   sync.Mutex
	what []string
}

func (s *told) note(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.what = append(s.what, what)
}

func (s *told) Drain() { s.note("drain") }

func (s *told) Shutdown(ctx context.Context) error {
	s.note("shutdown")
	return s.Server.Shutdown(ctx)
}

// TestWhoEndsSaysSoFirst serves until the end, and asks in between.
func TestWhoEndsSaysSoFirst(t *testing.T) {
	lobby, err := OpenLobby("127.0.0.1:0")
	require.NoError(t, err)
	listener, err := lobby.Leave()
	require.NoError(t, err)
	s := &told{Server: http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, s, listener, time.Hour) }()
	cancel()
	require.Eventually(t, func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.what) == 1 }, time.Minute, time.Millisecond)
	response, err := http.Get("http://" + listener.Addr().String())
	require.NoError(t, err, "it goes on serving for the delay")
	require.NoError(t, response.Body.Close())
	require.Equal(t, []string{"drain"}, s.what)
	require.NoError(t, s.Server.Close())
	<-ended

	health, err := ServeHealth("127.0.0.1:0")
	require.NoError(t, err)
	defer health.Stop()
	ask := func() int {
		response, err := http.Get("http://" + health.address + "/readyz")
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return response.StatusCode
	}
	require.Equal(t, 503, ask(), "it is starting")
	health.Ready(func(context.Context) error { return nil })
	require.Equal(t, 200, ask())
	health.Drain()
	require.Equal(t, 503, ask())
}
