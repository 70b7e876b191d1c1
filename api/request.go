package api

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"signalbox/desk"
	"signalbox/internal/tracing"
	"signalbox/ticket"
)

// requestContext is what the server knows of a request, kept with it from middleware to handler.
type requestContext struct {
	id        string
	family    *Family
	route     string
	operation string
	changes   bool     // the call may change something
	address   string   // where the request comes from
	claimed   string   // code of the app that the caller says it is
	app       desk.App // the one it is
	person    string   // for whom its credentials say that it acts
	key       string
	signature *usedSignature // nil: not known by a signature
	types     []string       // Config.IncidentTypes
	subject   Subject        // as far as a family has noted it
	refused   ticket.Code
	cause     error
	trail     *desk.Trail // nil: nobody was asked yet
	span      tracing.Span

	logins *logins // nil: the server has not seen the request yet
	login  login
}

type requestKey struct{}

func requestOf(c *fiber.Ctx) *requestContext {
	if rc, ok := c.Locals(requestKey{}).(*requestContext); ok {
		return rc
	}
	rc := &requestContext{}
	c.Locals(requestKey{}, rc)
	return rc
}

// Caller is the app that the request's credential belongs to. It is empty before the server has authenticated the request.
func Caller(c *fiber.Ctx) desk.App { return requestOf(c).app }

// RequestID is the request's X-Request-Id: the caller's own, or one made here.
func RequestID(c *fiber.Ctx) string { return requestOf(c).id }

// Context is the handler's context: it ends when the request's time is up, and is cancelled once it has been answered.
func Context(c *fiber.Ctx) context.Context { return c.UserContext() }

// Request is the request as the desk keeps it: who asks, for what, under which key.
func Request(c *fiber.Ctx) desk.Request {
	rc := requestOf(c)
	r := desk.Request{
		App: rc.app, Channel: rc.family.Channel, Key: rc.key, Method: c.Method(), Path: c.OriginalURL(), RequestID: rc.id, Address: rc.address,
		Operator: rc.subject.Operator, Hops: Hops(c),
	}
	if rc.key != "" {
		r.Route, r.Fingerprint, r.BodyDigest = target(c, rc.operation), fingerprint(c, rc.family.Credentials, rc.person), digestOf(c.BodyRaw())
	}
	return r
}

// ActsFor notes for whom a request's credentials say that it acts, where that counts: what was done for one person is no answer to another.
func ActsFor(c *fiber.Ctx, person string) { requestOf(c).person = person }

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

// answerOf makes a desk's answer.
func answerOf(status int, body any) (desk.Answer, error) {
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

// queryOf gives the parameters of the query string, unescaped once. One that is not valid text is Invalid.
func queryOf(c *fiber.Ctx) (url.Values, error) {
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
