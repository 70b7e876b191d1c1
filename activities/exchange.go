package activities

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// line is a connection to a receiver. Everything that waits on it ends by its limit, whoever waits and for what: net/http ends its own waits with a
// request's context, but neither a handshake that it has begun for one nor reads from a connection that it has handed over (after 101).
type line struct {
	net.Conn
	mu    sync.Mutex
	limit time.Time
}

// lend gives the connection to a try that ends by the limit.
func (l *line) lend(limit time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.limit = limit
	_ = l.Conn.SetDeadline(limit) // fails on a closed one, as whatever comes next does
}

// within sets a deadline that is no later than the limit.
func (l *line) within(set func(time.Time) error, t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.IsZero() || t.After(l.limit) {
		t = l.limit
	}
	return set(t)
}

// SetDeadline implements net.Conn. Like its two relatives it goes no further than the limit: crypto/tls would give its farewell five more seconds.
func (l *line) SetDeadline(t time.Time) error { return l.within(l.Conn.SetDeadline, t) }

// SetReadDeadline implements net.Conn.
func (l *line) SetReadDeadline(t time.Time) error { return l.within(l.Conn.SetReadDeadline, t) }

// SetWriteDeadline implements net.Conn.
func (l *line) SetWriteDeadline(t time.Time) error { return l.within(l.Conn.SetWriteDeadline, t) }

// limitKey is the key by which the context of a request, and of the dial that is begun for it, knows when the try ends: a dial goes on without
// its request's cancellation, so that another request can have the connection.
type limitKey struct{}

// dialLines makes lines by a dialer. Connecting and the handshake that follows end with the try that they are begun for.
func dialLines(d dialling) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		limit, ok := ctx.Value(limitKey{}).(time.Time)
		if !ok {
			limit = time.Now().Add(d.limit)
		}
		ctx, cancel := context.WithDeadline(ctx, limit)
		defer cancel()
		conn, err := d.dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		l := &line{Conn: conn}
		l.lend(limit)
		return l, nil
	}
}

// lineOf gives the line under a connection of net/http's.
func lineOf(conn net.Conn) (*line, bool) {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	l, ok := conn.(*line)
	return l, ok
}

// clients make requests over lines. Both speak HTTP/1.1 alone: a connection of HTTP/2 is shared, and the end of one try would be the end of the others on it.
type clients struct {
	kept  *http.Client // over connections that are kept for a while
	fresh *http.Client // each over a connection of its own
}

// newClients makes the clients for addresses that are connected to by a dialer and trusted by a configuration.
func newClients(d dialling, trust *tls.Config) clients {
	client := func(fresh bool) *http.Client {
		protocols := new(http.Protocols)
		protocols.SetHTTP1(true)
		return &http.Client{
			Transport: &http.Transport{
				Proxy:                  nil, // ours is part of dialling: of any other the guard would see nothing but its own address
				DialContext:            dialLines(d),
				Protocols:              protocols,
				TLSClientConfig:        trust,
				DisableKeepAlives:      fresh,
				MaxIdleConnsPerHost:    64,
				MaxIdleConns:           1024,
				IdleConnTimeout:        idle,
				MaxResponseHeaderBytes: 64 << 10,
				DisableCompression:     true, // see reply
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return clients{kept: client(false), fresh: client(true)}
}

// do makes a request whose context has a deadline, by which everything that waits for it ends, and gives the answer, whose body is to be closed.
//
// A connection that was kept may have been closed by the receiver just as the request came. Where nothing of an answer has come, the request is made
// once more, over a connection of its own.
func (c clients) do(request *http.Request) (*http.Response, error) {
	limit, _ := request.Context().Deadline()
	var reused, answered atomic.Bool
	ctx := context.WithValue(httptrace.WithClientTrace(request.Context(), &httptrace.ClientTrace{
		GotConn: func(got httptrace.GotConnInfo) {
			reused.Store(got.Reused)
			if l, ok := lineOf(got.Conn); ok {
				l.lend(limit)
			}
		},
		GotFirstResponseByte: func() { answered.Store(true) },
	}), limitKey{}, limit)
	response, err := c.kept.Do(request.WithContext(ctx))
	if err == nil || !reused.Load() || answered.Load() || ctx.Err() != nil || !time.Now().Before(limit) {
		return response, err
	}
	again := request.Clone(ctx)
	if request.GetBody != nil {
		if again.Body, err = request.GetBody(); err != nil {
			return nil, err
		}
	}
	return c.fresh.Do(again)
}

// reply is what came of a request.
type reply struct {
	Status int
	Header http.Header // as it came
	Body   []byte      // unfolded where it was sent folded (gzip)
	Folded bool        // it was
}

// exchange makes a request, whose context has a deadline, and reads the answer up to a limit in bytes, counted as they are unfolded. With an error the
// status may be set: then the answer broke off. The error of a request whose time was over is context.DeadlineExceeded, whatever was being waited for; it is
// errStalled as well where the request went on all the same.
func (c clients) exchange(request *http.Request, limit int64) (reply, error) {
	if request.Header.Get("User-Agent") == "" {
		request.Header.Set("User-Agent", userAgent)
	}
	request.Header.Set("Accept-Encoding", "gzip") // ours to say: nothing else is understood
	end, _ := request.Context().Deadline()
	type outcome struct {
		reply
		error
	}
	o, err := supervise(time.Until(end)+StallGrace, func(func()) outcome {
		r, err := c.perform(request, limit)
		return outcome{r, err}
	})
	if err == nil {
		err = o.error
	}
	if err != nil && !time.Now().Before(end) {
		err = fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	}
	return o.reply, err
}

// perform makes a request and reads the answer. One that switches protocols is an answer without a body.
func (c clients) perform(request *http.Request, limit int64) (r reply, err error) {
	response, err := c.do(request)
	if err != nil {
		return r, err
	}
	// Closing before the end gives the connection up instead of reading on: nobody can make us take in more than the limit.
	defer response.Body.Close()
	r.Status, r.Header = response.StatusCode, response.Header
	if r.Status == http.StatusSwitchingProtocols {
		return r, nil
	}
	coding := response.Header.Get("Content-Encoding")
	if !strings.EqualFold(coding, "gzip") && !strings.EqualFold(coding, "x-gzip") {
		r.Body, err = io.ReadAll(io.LimitReader(response.Body, limit))
		return r, err
	}
	all := &io.LimitedReader{R: response.Body, N: 2 * limit} // folded is about as much as unfolded, at worst
	folded := bufio.NewReader(all)
	if start, _ := folded.Peek(2); string(start) != "\x1f\x8b" { // there is none, or it only says so
		r.Body, err = io.ReadAll(io.LimitReader(folded, limit))
		return r, err
	}
	r.Folded = true
	unfolded, err := gzip.NewReader(folded)
	if err == nil {
		r.Body, err = io.ReadAll(io.LimitReader(unfolded, limit))
	}
	if err != nil && all.N <= 0 {
		err = errFolded
	}
	return r, err
}

// errFolded is the error of an answer that unfolds into next to nothing.
var errFolded = errors.New("the answer has more bytes of gzip than may be read")

// foldFault reports whether an answer that says it is gzip is not, or is damaged.
func foldFault(err error) bool {
	var corrupt flate.CorruptInputError
	return errors.Is(err, errFolded) || errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.As(err, &corrupt)
}
