package setup

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"
)

// Profiles says where a process shows Go's own profiles (net/http/pprof) to whoever looks after the machine.
type Profiles struct {
	ProfileAddress Loopback `split_words:"true" desc:"host:port on this machine alone for Go's profiles, under /debug/pprof/; none unless set"`
}

// Loopback is a host:port that only this machine reaches. Profiles tell what a process holds in memory.
type Loopback string

// Decode reads it; envconfig calls it.
func (l *Loopback) Decode(text string) error {
	host, _, err := net.SplitHostPort(text)
	if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return errors.New("must be host:port of this machine alone, such as 127.0.0.1:6060")
	}
	*l = Loopback(text)
	return nil
}

// Serve begins to show the profiles, where an address is set, until stop is called.
func (p Profiles) Serve() (stop func(), err error) {
	if p.ProfileAddress == "" {
		return func() {}, nil
	}
	listener, err := net.Listen("tcp", string(p.ProfileAddress))
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			slog.Error("profiles", "error", err)
		}
	}()
	return func() { _ = server.Close() }, nil
}
