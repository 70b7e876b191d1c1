// Package receiver is an address to try deliveries with: it takes whatever it is sent, and shows it to whoever asks.
//
// A GET of a path tells what came there, oldest first, the bodies one a line; of / what came anywhere. ?wait=2 waits, for half a minute at most, until two
// requests have come, and is answered with 404 where they have not; ?full=1 tells headers as well, each request as JSON on a line. Any other method is a
// delivery: it is answered with 200 and JSON that the itsm family's senders take for a success, on a path that ends in /publish with one that seed 003's do, and
// on one that ends in /broken with 500.
package receiver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Bounds of what it takes and keeps.
const (
	kept     = 1000    // requests, the newest
	bodySize = 1 << 20 // bytes
	longest  = 30 * time.Second
)

// quiet is where what comes is kept and not told to the terminal.
const quiet = "/demo/"

// Request is one that came.
type Request struct {
	At      time.Time         `json:"at"`
	Method  string            `json:"method"`
	Path    string            `json:"path"`
	Headers map[string]string `json:"headers"` // names in lower case; several values with commas between
	Body    string            `json:"body"`
}

// Receiver listens until it is closed. It is safe for concurrent use.
type Receiver struct {
	server *http.Server
	at     string
	told   io.Writer

	mu   sync.Mutex
	list []Request
	more chan struct{} // closed, and another in its place, when something comes
}

// Start listens on host:port of this machine. A line for everything that comes is written to told.
func Start(address string, told io.Writer) (*Receiver, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	r := &Receiver{at: "http://" + listener.Addr().String(), told: told, more: make(chan struct{})}
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = r.server.Serve(listener) }() // ends with Close
	return r, nil
}

// URL is where it listens, without a slash at the end.
func (r *Receiver) URL() string { return r.at }

// Close ends it; who waits is cut off.
func (r *Receiver) Close() error {
	if err := r.server.Close(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// ServeHTTP takes a delivery, or tells what came.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	if request.Method == http.MethodGet || request.Method == http.MethodHead {
		r.tell(w, request)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, bodySize))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.keep(request, string(body))
	w.Header().Set("Content-Type", "application/json")
	switch {
	case strings.HasSuffix(request.URL.Path, "/broken"):
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprintln(w, `{"error":"out of order"}`)
	case strings.HasSuffix(request.URL.Path, "/publish"):
		fmt.Fprintln(w, `{"code":"000","msg":"成功"}`)
	default:
		fmt.Fprintln(w, `{"result":true,"code":0,"message":"success","data":null}`)
	}
}

func (r *Receiver) keep(request *http.Request, body string) {
	one := Request{At: time.Now().UTC(), Method: request.Method, Path: request.URL.Path, Headers: map[string]string{}, Body: body}
	for name, values := range request.Header {
		one.Headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, one)
	if len(r.list) > kept {
		r.list = r.list[len(r.list)-kept:]
	}
	close(r.more)
	r.more = make(chan struct{})
	if !strings.HasPrefix(one.Path, quiet) {
		fmt.Fprintf(r.told, "told %s  %s\n", one.Path, line(body))
	}
}

// line is a body on one line.
func line(body string) string { return strings.Join(strings.Fields(body), " ") }

// at gives what came to a path, and what is closed when something comes.
func (r *Receiver) came(path string) ([]Request, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []Request
	for _, one := range r.list {
		if path == "/" || one.Path == path {
			found = append(found, one)
		}
	}
	return found, r.more
}

func (r *Receiver) tell(w http.ResponseWriter, request *http.Request) {
	query := request.URL.Query()
	least := 0
	if text := query.Get("wait"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > kept {
			http.Error(w, "wait: must be how many requests are waited for", http.StatusBadRequest)
			return
		}
		least = n
	}
	late := time.NewTimer(longest)
	defer late.Stop()
	found, more := r.came(request.URL.Path)
	for len(found) < least {
		select {
		case <-more:
		case <-request.Context().Done():
			return
		case <-late.C:
			http.Error(w, fmt.Sprintf("%d came, and %d were waited for", len(found), least), http.StatusNotFound)
			return
		}
		found, more = r.came(request.URL.Path)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	for _, one := range found {
		switch {
		case query.Has("full"):
			_ = json.NewEncoder(w).Encode(one) // an error is a reader that has gone
		case request.URL.Path == "/":
			fmt.Fprintln(w, one.At.Format(time.RFC3339), one.Path, line(one.Body))
		default:
			fmt.Fprintln(w, line(one.Body))
		}
	}
}
