package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"signalbox/desk"
	"signalbox/ticket"
)

// Headers of the idempotency contract.
const (
	HeaderKey      = "Idempotency-Key"
	HeaderXKey     = "X-Idempotency-Key" // wins over HeaderKey
	HeaderReplayed = "X-Idempotency-Replayed"
)

// visit is what the server knows of a request, kept with it from middleware to handler.
type visit struct {
	id      string
	family  *Family
	route   string
	changes bool     // the call may change something
	address string   // where the request comes from
	claimed string   // code of the app that the caller says it is
	app     desk.App // the one it is
	key     string
	seal    *seal // nil: not known by a signature
	refused ticket.Code
	cause   error
	trail   *desk.Trail // nil: nobody was asked yet

	logins *logins // nil: the server has not seen the request yet
	login  login
}

type visitKey struct{}

func visitOf(c *fiber.Ctx) *visit {
	if v, ok := c.Locals(visitKey{}).(*visit); ok {
		return v
	}
	v := &visit{}
	c.Locals(visitKey{}, v)
	return v
}

// Caller is the app that the request's credential belongs to. It is empty before the server has authenticated the request.
func Caller(c *fiber.Ctx) desk.App { return visitOf(c).app }

// RequestID is the request's X-Request-Id: the caller's own, or one made here.
func RequestID(c *fiber.Ctx) string { return visitOf(c).id }

// Context is the handler's context: it ends when the request's time is up, and is cancelled once it has been answered.
func Context(c *fiber.Ctx) context.Context { return c.UserContext() }

// Request is the request as the desk keeps it: who asks, for what, under which key.
func Request(c *fiber.Ctx) desk.Request {
	v := visitOf(c)
	sum := sha256.Sum256(c.BodyRaw())
	return desk.Request{
		App: v.app, Channel: v.family.Channel, Key: v.key, Method: c.Method(), Path: c.OriginalURL(),
		Fingerprint: hex.EncodeToString(sum[:]), RequestID: v.id, Address: v.address,
		Operator: operatorOf(c),
	}
}

// Send writes the desk's reply, and says in X-Idempotency-Replayed whether it was given before.
func Send(c *fiber.Ctx, r desk.Reply) error {
	c.Set(HeaderReplayed, strconv.FormatBool(r.Replayed))
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSONCharsetUTF8)
	return c.Status(r.Status).Send(r.Body)
}

// Respond writes a JSON answer that did not go through the desk.
func Respond(c *fiber.Ctx, status int, body any) error {
	raw, err := Marshal(body)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSONCharsetUTF8)
	return c.Status(status).Send(raw)
}

// Answer makes a desk's answer.
func Answer(status int, body any) (desk.Answer, error) {
	raw, err := Marshal(body)
	return desk.Answer{Status: status, Body: raw}, err
}

// Marshal gives JSON that leaves <, > and & as they are.
func Marshal(v any) (json.RawMessage, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(buf.Bytes(), "\n"), nil
}

// Param gives a parameter of the path, unescaped once. One that is not valid text is Invalid.
func Param(c *fiber.Ctx, name string) (string, error) {
	value, err := url.PathUnescape(c.Params(name))
	if err != nil || !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
		return "", ticket.RefuseField(ticket.Invalid, name, "is not properly escaped text")
	}
	return value, nil
}

// Query gives the parameters of the query string, unescaped once. One that is not valid text is Invalid.
func Query(c *fiber.Ctx) (url.Values, error) {
	values, err := url.ParseQuery(string(c.Request().URI().QueryString()))
	if err != nil {
		return nil, ticket.RefuseField(ticket.Invalid, "query", "is not properly escaped")
	}
	for name, list := range values {
		if !utf8.ValidString(name) {
			return nil, ticket.RefuseField(ticket.Invalid, "query", "must be valid UTF-8")
		}
		for _, value := range list {
			if !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
				return nil, ticket.RefuseField(ticket.Invalid, name, "must be valid UTF-8")
			}
		}
	}
	return values, nil
}

var safeKey = regexp.MustCompile(`^[A-Za-z0-9:_-]{1,128}$`)

// idempotencyKey reads the key of a request; empty when there is none.
func idempotencyKey(c *fiber.Ctx) (string, error) {
	for _, header := range []string{HeaderXKey, HeaderKey} {
		raw := c.Request().Header.Peek(header)
		if raw == nil {
			continue
		}
		key := strings.TrimSpace(string(raw))
		if !safeKey.MatchString(key) {
			return "", ticket.RefuseField(ticket.Invalid, header, "must be 1 to 128 characters of A-Z, a-z, 0-9, ':', '_' and '-'")
		}
		return key, nil
	}
	return "", nil
}
