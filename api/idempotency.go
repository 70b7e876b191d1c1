package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"regexp"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/gofiber/fiber/v2"

	"signalbox/ticket"
)

// Headers of the idempotency contract. A request may carry its key in either; in both, if they are the same.
const (
	HeaderKey      = "Idempotency-Key"
	HeaderXKey     = "X-Idempotency-Key"
	HeaderReplayed = "X-Idempotency-Replayed"
)

var safeKey = regexp.MustCompile(`^[A-Za-z0-9:_-]{1,128}$`)

// idempotencyKey reads the key of a request; empty when there is none. Invalid: one that is not well formed, or several that differ.
func idempotencyKey(c *fiber.Ctx) (string, error) {
	key, from := "", ""
	for _, header := range []string{HeaderXKey, HeaderKey} {
		for _, raw := range c.Request().Header.PeekAll(header) {
			given := strings.TrimSpace(string(raw))
			switch {
			case !safeKey.MatchString(given):
				return "", ticket.RefuseField(ticket.Invalid, header, "must be 1 to 128 characters of A-Z, a-z, 0-9, ':', '_' and '-'")
			case from != "" && given != key:
				return "", ticket.RefuseField(ticket.Invalid, header, "differs from the idempotency key in "+from)
			}
			key, from = given, header
		}
	}
	return key, nil
}

// target names what a request asks for, however its address is spelled: the call, with the parameters of its path in their places.
func target(c *fiber.Ctx, operation string) string {
	parts := strings.Split(strings.Trim(operation, "/"), "/")
	for i, part := range parts {
		name, is := strings.CutPrefix(part, ":")
		if !is {
			continue
		}
		value := c.Params(name)
		if plain, err := url.PathUnescape(value); err == nil {
			value = plain
		}
		parts[i] = url.PathEscape(value)
	}
	return "/" + strings.Join(parts, "/")
}

// fingerprint is a digest of what a request says: its query and its body, and for whom its credentials say that it acts. The order of parameters
// and of members, blanks, escapes and the credentials among them do not count; a number is its digits.
func fingerprint(c *fiber.Ctx, credentials []string, person string) string {
	query := string(c.Request().URI().QueryString())
	if values, err := url.ParseQuery(query); err == nil {
		for _, name := range credentials {
			values.Del(name)
		}
		query = values.Encode()
	}
	return digest(query, string(canonical(c.BodyRaw(), credentials)), person)
}

// canonical spells JSON in one way, without those members of it. What is no JSON, or has a member twice, stays as it is.
func canonical(body []byte, without []string) []byte {
	value := jsontext.Value(bytes.TrimSpace(body))
	var members map[string]jsontext.Value
	if len(without) > 0 && value.Kind() == '{' && jsonv2.Unmarshal(value, &members) == nil {
		for _, name := range without {
			delete(members, name)
		}
		if rest, err := jsonv2.Marshal(members); err == nil {
			value = rest
		}
	}
	spelled := value.Clone() // it is written over
	if spelled.Format(jsontext.ReorderRawObjects(true), jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false)) != nil {
		return value
	}
	return spelled
}

// digest names some parts, keeping the bounds between them.
func digest(parts ...string) string {
	hash := sha256.New()
	for _, part := range parts {
		sum := sha256.Sum256([]byte(part))
		hash.Write(sum[:])
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// digestOf is the digest of a body as it was sent.
func digestOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
