package setup

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/sethvargo/go-retry"
)

const (
	// startAgain is how long what is away at the start is left alone.
	startAgain = time.Second
	// sayAgain is how often the log is told that it is still waited for.
	sayAgain = 10 * time.Second
)

// await tries to begin until nothing is away any more that it needs: what goes up beside us may take longer. Other errors, such as those of a wrong
// setting, are given back at once.
func await[T any](ctx context.Context, log *slog.Logger, what string, away func(error) bool, begin func(context.Context) (T, error)) (T, error) {
	var said time.Time
	began := time.Now()
	value, err := retry.DoValue(ctx, retry.NewConstant(startAgain), func(ctx context.Context) (T, error) {
		value, err := begin(ctx)
		if err == nil || ctx.Err() != nil || !away(err) {
			return value, err
		}
		if time.Since(said) >= sayAgain {
			said = time.Now()
			log.WarnContext(ctx, "waiting", "what", what, "for", time.Since(began).Round(time.Second), "cause", err)
		}
		return value, retry.RetryableError(err)
	})
	if err == nil && !said.IsZero() {
		log.InfoContext(ctx, "waited", "what", what, "for", time.Since(began).Round(time.Millisecond))
	}
	return value, err
}

// Lobby answers those who come to a listener before the process can: it is up, and not ready.
type Lobby struct {
	listener *net.TCPListener
	server   *http.Server
	left     chan struct{}
}

// OpenLobby listens on an address.
func OpenLobby(address string) (*Lobby, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, `{"status":"ok"}`) })
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "2")
		http.Error(w, `{"status":"starting"}`, http.StatusServiceUnavailable)
	})
	l := &Lobby{listener: listener.(*net.TCPListener), server: &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}, left: make(chan struct{})}
	l.server.SetKeepAlivesEnabled(false)
	go func() {
		defer close(l.left)
		_ = l.server.Serve(lent{l.listener}) // until Leave
	}()
	return l, nil
}

// Leave gives the listener to whoever serves on it from now on. Nobody is turned away meanwhile; connections that are there end with their answer.
func (l *Lobby) Leave() (net.Listener, error) {
	_ = l.listener.SetDeadline(time.Unix(1, 0))
	<-l.left
	return l.listener, l.listener.SetDeadline(time.Time{})
}

// Close ends it, and the listener, whether it was left or not.
func (l *Lobby) Close() {
	_ = l.listener.SetDeadline(time.Unix(1, 0))
	<-l.left
	_ = l.server.Close()
	_ = l.listener.Close()
}

// lent is a listener that somebody else goes on with.
type lent struct{ *net.TCPListener }

// Accept implements net.Listener. An http.Server tries again after what looks temporary, as the end of a deadline does.
func (l lent) Accept() (net.Conn, error) {
	c, err := l.TCPListener.Accept()
	if err != nil {
		err = http.ErrServerClosed
	}
	return c, err
}

// Close implements net.Listener.
func (lent) Close() error { return nil }
