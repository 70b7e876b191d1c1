// Package webhook receives what Signalbox sends: it verifies that a request is Signalbox's, by Standard Webhooks (https://www.standardwebhooks.com), before anybody
// reads it.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"signalbox/client/internal/hops"
)

const (
	// Tolerance is how far a request's time may lie from the receiver's clock. It bounds how long a copy of it can be played back.
	Tolerance = 5 * time.Minute
	// MaxBody is the largest body that is read, in bytes, unless the receiver says otherwise.
	MaxBody = 1 << 20
)

// ErrNotOurs tells that a request is not to be believed. Why, nobody else has to know.
var ErrNotOurs = errors.New("webhook: the signature does not fit")

// Secret is a key that requests are signed with, as Signalbox tells it once: "whsec_" and base64.
type Secret struct{ key []byte }

// ParseSecret reads one. Its errors do not contain it.
func ParseSecret(text string) (Secret, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(strings.TrimSpace(text), "whsec_"))
	switch {
	case err != nil:
		return Secret{}, errors.New("webhook: the secret is not whsec_ and base64")
	case len(key) < 24:
		return Secret{}, errors.New("webhook: the secret has less than 24 bytes")
	}
	return Secret{key}, nil
}

// String hides the key from logs.
func (Secret) String() string { return "whsec_[redacted]" }

// GoString hides it likewise.
func (s Secret) GoString() string { return s.String() }

// Verify checks that a request with these headers and this body, exactly as it came, was signed with one of the secrets, around now. Otherwise it is ErrNotOurs.
func Verify(header http.Header, body []byte, now time.Time, secrets ...Secret) error {
	id, timestamp := header.Get("webhook-id"), header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || id == "" || now.Sub(time.Unix(seconds, 0)).Abs() > Tolerance {
		return ErrNotOurs
	}
	var given [][]byte
	// There are several while a secret is being replaced; one that fits is enough.
	for _, signature := range strings.Fields(header.Get("webhook-signature")) {
		version, text, _ := strings.Cut(signature, ",")
		if got, err := base64.StdEncoding.DecodeString(text); version == "v1" && err == nil {
			given = append(given, got)
		}
	}
	for _, secret := range secrets {
		if len(secret.key) == 0 {
			continue // the zero value is no secret
		}
		mac := hmac.New(sha256.New, secret.key)
		mac.Write([]byte(id + "." + timestamp + "."))
		mac.Write(body)
		want := mac.Sum(nil)
		for _, got := range given {
			if hmac.Equal(got, want) {
				return nil
			}
		}
	}
	return ErrNotOurs
}

// Delivery is what the headers of a verified request say. Attempt and First are for information: the signature does not cover them.
type Delivery struct {
	ID      string    // the same on every try, and when it is delivered again: remember those that were dealt with
	At      time.Time // of this try
	Attempt int       // from 1; 0 where it is not told
	First   time.Time // when the first of these tries was made; zero likewise
}

type deliveryKey struct{}

// Of gives the delivery of a request that came through a [Receiver]; false: it did not.
func Of(ctx context.Context) (Delivery, bool) {
	d, ok := ctx.Value(deliveryKey{}).(Delivery)
	return d, ok
}

// Receiver verifies requests for the handlers behind it.
type Receiver struct {
	secrets []Secret

	MaxBody int64            // the largest body that is taken, in bytes; 0: MaxBody
	Now     func() time.Time // the clock that requests are held against; nil: time.Now
	// Refused is told of requests that are not let through, and why, for the log; nil: nobody is.
	Refused func(r *http.Request, why error)
}

// New makes a receiver that believes any of the secrets: of several subscriptions, or the one before and the one after a change.
func New(secrets ...string) (*Receiver, error) {
	if len(secrets) == 0 {
		return nil, errors.New("webhook: a secret is required")
	}
	r := &Receiver{}
	for _, text := range secrets {
		secret, err := ParseSecret(text)
		if err != nil {
			return nil, err
		}
		r.secrets = append(r.secrets, secret)
	}
	return r, nil
}

// Handler lets through to next what Signalbox sent: POST requests whose signature fits, with a body that can be read as if nobody had, and a context that tells the
// [Delivery]. Calls that next makes with that context by package client carry on how many systems the request has come through, so that loops end. What is not
// let through is answered with 405, 413, 400 (a body that broke off) or 401.
//
// A request may come again, under the same ID, after an answer was lost. An answer of 200 says that it was received.
func (v *Receiver) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, status, err := v.verified(w, r)
		if err != nil {
			if v.Refused != nil {
				v.Refused(r, err)
			}
			http.Error(w, http.StatusText(status), status)
			return
		}
		r = r.WithContext(hops.With(context.WithValue(r.Context(), deliveryKey{}, deliveryOf(r.Header)), r.Header.Values(hops.Header)))
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		next.ServeHTTP(w, r)
	})
}

func (v *Receiver) verified(w http.ResponseWriter, r *http.Request) (body []byte, status int, err error) {
	limit, now := v.MaxBody, v.Now
	if limit <= 0 {
		limit = MaxBody
	}
	if now == nil {
		now = time.Now
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, http.StatusMethodNotAllowed, fmt.Errorf("webhook: %s is not what Signalbox sends", r.Method)
	}
	body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, http.StatusRequestEntityTooLarge, err
	case err != nil:
		return nil, http.StatusBadRequest, err
	}
	if err := Verify(r.Header, body, now(), v.secrets...); err != nil {
		return nil, http.StatusUnauthorized, err
	}
	return body, http.StatusOK, nil
}

func deliveryOf(h http.Header) Delivery {
	d := Delivery{ID: h.Get("webhook-id"), At: secondsOf(h.Get("webhook-timestamp")), First: secondsOf(h.Get("webhook-first-attempt"))}
	d.Attempt, _ = strconv.Atoi(h.Get("webhook-attempt"))
	return d
}

func secondsOf(text string) time.Time {
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

// Event is what a lasting subscription is sent in the format "event", and, without RequestID, in the format "publish".
type Event struct {
	Source    string   `json:"event_source"` // "signalbox" of tickets and deliveries
	Topic     string   `json:"event_topic"`  // of tickets "ticket"
	Type      string   `json:"event_type"`
	Status    string   `json:"event_status"`
	Key       string   `json:"event_key"` // of tickets "ticket.<number>"
	Changes   []string `json:"changes"`
	RequestID string   `json:"request_id"`
}

// Notification is what an address of one ticket is sent.
type Notification struct {
	ID      string `json:"id"`   // the ticket's number
	Type    string `json:"type"` // relations, status or conversation
	Details struct {
		From string `json:"from"` // of a change of the status: OPEN or CLOSED
		To   string `json:"to"`
	} `json:"details"`
}
