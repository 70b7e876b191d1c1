package harness

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"
)

// Response is one answer of a Receiver. The zero value is an empty 200.
type Response struct {
	// Status code; 0 means 200.
	Status int
	Header http.Header
	Body   string
	// Delay before the answer.
	Delay time.Duration
	// Until holds the answer back until it is closed; nil does not.
	Until <-chan struct{}
	// Hang never answers: the request stays open until the caller gives up or the receiver closes.
	Hang bool
	// Drop closes the connection without an answer.
	Drop bool
}

// Request is one request that a Receiver got.
type Request struct {
	// At is when the request was read, before any delay.
	At     time.Time
	Method string
	Path   string
	Query  string
	Header http.Header
	Body   []byte
	// Answered is the status of the answer it was given, 0 for a request that hung or was dropped.
	Answered int
	// Left is when the caller gave up waiting for an answer; zero for a caller that has not.
	Left time.Time
}

// Receiver is an HTTP server on loopback that records all requests and answers as it was told, per path. It is safe for
// concurrent use.
type Receiver struct {
	server *httptest.Server
	closed chan struct{}

	mu       sync.Mutex
	scripts  map[string][]Response
	requests []Request
}

// NewReceiver starts a receiver that answers 200 everywhere and closes when the test ends.
func NewReceiver(t testing.TB) *Receiver {
	r := &Receiver{closed: make(chan struct{}), scripts: map[string][]Response{}}
	r.server = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(func() {
		// First what hangs, since closing the server waits for open requests.
		close(r.closed)
		r.server.CloseClientConnections()
		r.server.Close()
	})
	return r
}

// URL is the address of a path, which begins with a slash.
func (r *Receiver) URL(path string) string { return r.server.URL + path }

// Answer sets the answers for a path from now on: one after the other, the last one for ever.
func (r *Receiver) Answer(path string, responses ...Response) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.scripts[path] = slices.Clone(responses)
}

// Requests returns what came for a path so far, in order of arrival; for an empty path, everything.
func (r *Receiver) Requests(path string) []Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []Request
	for _, request := range r.requests {
		if path == "" || request.Path == path {
			found = append(found, request)
		}
	}
	return found
}

// Await returns the requests for a path once there are at least n, or fails the test after the given time.
func (r *Receiver) Await(t testing.TB, path string, n int, within time.Duration) []Request {
	t.Helper()
	var found []Request
	Until(t, fmt.Sprintf("%d requests for %q", n, path), within, func() error {
		if found = r.Requests(path); len(found) < n {
			return fmt.Errorf("got %d", len(found))
		}
		return nil
	})
	return found
}

func (r *Receiver) serve(w http.ResponseWriter, request *http.Request) {
	// What came before a broken body is still worth recording.
	body, _ := io.ReadAll(request.Body)
	response, n := r.record(request, body)

	if response.Delay > 0 && !await(r, n, request, time.After(response.Delay)) {
		return
	}
	if response.Until != nil && !await(r, n, request, response.Until) {
		return
	}
	switch {
	case response.Hang:
		await[struct{}](r, n, request, nil)
		// Without this the server would send an empty 200.
		panic(http.ErrAbortHandler)
	case response.Drop:
		panic(http.ErrAbortHandler)
	}
	for name, values := range response.Header {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	w.WriteHeader(response.Status)
	_, _ = io.WriteString(w, response.Body)
}

// await waits for ready; false: the caller of the n-th request has gone or the receiver closes.
func await[T any](r *Receiver, n int, request *http.Request, ready <-chan T) bool {
	select {
	case <-ready:
		return true
	case <-request.Context().Done():
		r.mu.Lock()
		defer r.mu.Unlock()
		r.requests[n].Left = time.Now()
	case <-r.closed:
	}
	return false
}

// record keeps the request and takes the next answer of its path, in one step, so that the n-th request recorded is the
// one that got the n-th answer. It gives the place among all requests, too.
func (r *Receiver) record(request *http.Request, body []byte) (Response, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var response Response
	path := request.URL.Path
	if script := r.scripts[path]; len(script) > 0 {
		response = script[0]
		if len(script) > 1 {
			r.scripts[path] = script[1:]
		}
	}
	if response.Status == 0 {
		response.Status = http.StatusOK
	}
	answered := response.Status
	if response.Hang || response.Drop {
		answered = 0
	}
	r.requests = append(r.requests, Request{
		At: time.Now(), Method: request.Method, Path: path, Query: request.URL.RawQuery,
		Header: request.Header.Clone(), Body: body, Answered: answered,
	})
	return response, len(r.requests) - 1
}
