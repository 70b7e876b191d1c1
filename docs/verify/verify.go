// Package verify shows how a receiver tells that a delivery is ours, with nothing but the standard library. It may be copied.
package verify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Tolerance is how far a delivery's timestamp may lie from the receiver's clock. It bounds how long a copy of it can be played back.
const Tolerance = 5 * time.Minute

// ErrNotOurs tells that a request is not to be believed. Why, nobody else has to know.
var ErrNotOurs = errors.New("the signature does not fit")

// Verify reports whether a request with these headers and this body, exactly as it came, was signed with the secret ("whsec_…") around now.
func Verify(secret string, header http.Header, body []byte, now time.Time) error {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return errors.New("the secret is not base64")
	}
	id, timestamp := header.Get("webhook-id"), header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > Tolerance {
		return ErrNotOurs
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	want := mac.Sum(nil)
	// There are several while a secret is being replaced; one that fits is enough.
	for _, signature := range strings.Fields(header.Get("webhook-signature")) {
		version, text, _ := strings.Cut(signature, ",")
		got, err := base64.StdEncoding.DecodeString(text)
		if version == "v1" && err == nil && hmac.Equal(got, want) {
			return nil
		}
	}
	return ErrNotOurs
}
