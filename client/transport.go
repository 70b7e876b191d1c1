package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"mime"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/client/internal/hops"
)

// Headers of the idempotency contract and of tracing.
const (
	headerKey     = "X-Idempotency-Key"
	headerRequest = "X-Request-Id"
)

// Waits between tries where the answer says nothing: they double from first to most, and half of each is drawn.
const (
	firstWait = 200 * time.Millisecond
	mostWait  = 10 * time.Second
)

// maxAnswer is the largest answer that is read, in bytes.
const maxAnswer = 64 << 20

var errTooLarge = errors.New("the answer is larger than 64 MiB")

type keyOf struct{}

// WithKey has the next call that is made with the context carry this idempotency key, 1 to 128 characters of A-Z, a-z, 0-9, ':', '_' and '-', instead of one
// that is made for it. It is for who remembers the key, so that the call can be repeated by another process: the same request with the same key is
// done once, and another request with it is refused (Reused). So it is for one call.
func WithKey(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, keyOf{}, key)
}

// WithLoop has calls that are made with the context carry the CDN-Loop header of a request that was received, so that a chain of systems that call each other
// ends. Package webhook does it for receivers.
func WithLoop(ctx context.Context, received http.Header) context.Context {
	return hops.With(ctx, received.Values(hops.Header))
}

// transport sends the requests of all generated packages.
type transport struct {
	Options
	client *http.Client
}

func newTransport(o Options) *transport {
	if o.Tries <= 0 {
		o.Tries = DefaultTries
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Patience <= 0 {
		o.Patience = DefaultPatience
	}
	if o.UserAgent == "" {
		o.UserAgent = "signalbox-client"
	}
	c := http.Client{}
	if o.HTTP != nil {
		c = *o.HTTP
	}
	// A redirect would take the request, or the credential, somewhere that nobody named.
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &transport{Options: o, client: &c}
}

// Do sends a request, again where that is safe and may help, and gives the answer once all of it is there. Every answer but one of success is an error.
func (t *transport) Do(r *http.Request) (*http.Response, error) {
	body, err := bodyOf(r)
	if err != nil {
		return nil, err
	}
	ctx := r.Context()
	key := r.Header.Get(headerKey)
	if key == "" && r.Method != http.MethodGet && r.Method != http.MethodHead {
		if key, _ = ctx.Value(keyOf{}).(string); key == "" {
			key = rand.Text()
		}
		r.Header.Set(headerKey, key)
	}
	r.Header.Set("User-Agent", t.UserAgent)
	if t.Secret != "" {
		r.Header.Set("Authorization", "Access_Key "+t.Secret)
	}
	for _, value := range hops.Of(ctx) {
		r.Header.Add(hops.Header, value)
	}
	for try := 1; ; try++ {
		answer, err := t.try(ctx, r, body)
		if err != nil {
			err = &Unanswered{Method: r.Method, Path: r.URL.Path, Key: key, Tries: try, Err: err}
		} else if refusal := refused(answer, key); refusal != nil {
			err = refusal
		} else {
			return answer.Response, nil
		}
		wait, again := t.again(err, try)
		if !again || !pause(ctx, wait) {
			return nil, err
		}
	}
}

// answer is one whose body was read to its end.
type answer struct {
	*http.Response
	body []byte
}

func (t *transport) try(ctx context.Context, r *http.Request, body []byte) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	r = r.Clone(ctx)
	if body != nil {
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	}
	response, err := t.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return answer{}, fmt.Errorf("the answer broke off: %w", err)
	case len(read) > maxAnswer:
		return answer{}, errTooLarge
	}
	response.Body = io.NopCloser(bytes.NewReader(read))
	return answer{response, read}, nil
}

// again tells whether a call that came to this is worth another try, and after which wait.
func (t *transport) again(err error, try int) (wait time.Duration, ok bool) {
	if try >= t.Tries {
		return 0, false
	}
	wait = min(firstWait<<(try-1), mostWait)
	wait = wait/2 + mathrand.N(wait/2)
	var refusal *Error
	if !errors.As(err, &refusal) {
		return min(wait, t.Patience), mayPass(err)
	}
	if !refusal.Temporary() || refusal.RetryAfter > t.Patience {
		return 0, false
	}
	return min(max(wait, refusal.RetryAfter), t.Patience), true
}

// mayPass reports whether what kept an answer from coming may be over a moment later. Whether the request was done is not known then, which is why
// only those are sent again that read or have a key: all of them.
func mayPass(err error) bool {
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, errTooLarge), errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &certificate):
		return false
	}
	return !errors.As(err, &name) || !name.IsNotFound
}

// pause waits; false: the context ends before that, and waiting is of no use.
func pause(ctx context.Context, wait time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// bodyOf reads what a request sends, so that it can be sent more than once.
func bodyOf(r *http.Request) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	defer func() { _ = r.Body.Close() }()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("client: the body cannot be read: %w", err)
	}
	return body, nil
}

// spoken are the types of what Signalbox answers with; anything else is from somebody in between.
var spoken = []string{"application/json", "application/yaml", "image/svg+xml", "text/vnd.graphviz"}

// refused gives the error that an answer is; nil: it is one of success.
func refused(a answer, key string) *Error {
	kind, _, _ := mime.ParseMediaType(a.Header.Get("Content-Type"))
	if a.StatusCode >= 200 && a.StatusCode < 300 && slices.Contains(spoken, kind) || a.StatusCode == http.StatusNotModified {
		return nil
	}
	e := &Error{Status: a.StatusCode, Code: codeOf(a), RequestID: a.Header.Get(headerRequest), RetryAfter: retryAfter(a.Header, time.Now()), Key: key, Body: a.body}
	if e.Field, e.Message = told(a.body); e.Message == "" {
		e.Message = "the answer is not one of Signalbox"
		if a.StatusCode >= 300 {
			e.Message = http.StatusText(a.StatusCode)
		}
	}
	return e
}

// retryAfter reads the header, in seconds or as a date (RFC 9110, section 10.2.3); 0 where it is not there.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
