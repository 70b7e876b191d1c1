package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"signalbox/desk"
	"signalbox/ticket"
)

// CacheReads has the server keep the answers of calls that only read, where their method takes an idempotency key and the caller sent one. Calls
// that change something keep their own. It must be called before serving.
func (s *Server) CacheReads(d Desk) { s.desk = d }

// errRefused tells the desk that a handler has answered with a refusal by itself.
var errRefused = errors.New("api: the answer is a refusal")

// cacheRead answers a call that only reads with what the first request with its key was told.
func (s *Server) cacheRead(c *fiber.Ctx, handler fiber.Handler) error {
	if s.desk == nil {
		return handler(c)
	}
	outer := c.UserContext()
	defer c.SetUserContext(outer)
	var failed error // the handler's own: its words are not the desk's to choose
	reply, err := s.desk.Transact(outer, Request(c), func(ctx context.Context) (desk.Answer, error) {
		c.SetUserContext(ctx) // it reads in the transaction that keeps its answer
		c.Response().ResetBody()
		if failed = handler(c); failed != nil {
			return desk.Answer{}, failed
		}
		answer := desk.Answer{Status: c.Response().StatusCode(), Body: bytes.Clone(c.Response().Body())}
		if answer.Status >= fiber.StatusBadRequest {
			return answer, errRefused
		}
		return answer, nil
	})
	switch {
	case failed != nil:
		return failed
	case errors.Is(err, errRefused):
		return nil
	case err != nil:
		return err
	}
	return Send(c, reply)
}

// Replays says which copies of a signed request are taken; see the constants. It is a setting.
type Replays string

// Which copies of a signed request are taken, beside those that come with the idempotency key of the first.
const (
	// ReplaysBrief takes copies for a moment after the signature was made, and once everything that came with it was refused. The SDK's dates
	// are whole seconds, so two equal calls in a hurry are two requests with one signature.
	ReplaysBrief Replays = "brief"
	// ReplaysStrict takes none.
	ReplaysStrict Replays = "strict"
	// ReplaysOff takes all, as long as the signature holds.
	ReplaysOff Replays = "off"
)

// Decode reads one of the words; envconfig calls it.
func (r *Replays) Decode(text string) error {
	switch word := Replays(strings.TrimSpace(text)); word {
	case ReplaysBrief, ReplaysStrict, ReplaysOff:
		*r = word
		return nil
	}
	return fmt.Errorf("%q is none of brief, strict and off", text)
}

// Signature is what a request was signed with.
type Signature struct {
	Bytes   []byte
	Lately  bool      // it was made a moment ago, so that an honest caller may have made the same one again
	Expires time.Time // nobody takes it any more from then on
}

// usedSignature is the signature that a request was known by.
type usedSignature struct {
	digest  string
	lately  bool
	expires time.Time
	counted bool // the request counts as a use of it
}

// Signed notes that a request was known by a signature. Where the request may change something, copies of it are refused as the setting says.
func Signed(c *fiber.Ctx, app desk.App, s Signature) {
	requestOf(c).signature = &usedSignature{digest: digest(app.Code, string(s.Bytes)), lately: s.Lately, expires: s.Expires}
}

// rejectReplay refuses a copy of a signed request, unless it comes with the idempotency key that the first one came with: then what was done for the
// first is the answer, and if nothing was done, it is what its sender asked for and has not got. The key is held together with what the desk knows a
// request by: a signature fits several spellings of its address, and all of them have one answer. A key that was not on the first is no excuse, because
// signatures need not cover it.
func (s *Server) rejectReplay(c *fiber.Ctx, scope desk.Scope) error {
	rc := requestOf(c)
	if rc.signature == nil || scope == desk.Read || s.config.SignatureReplays == ReplaysOff {
		return nil
	}
	key := ""
	if rc.key != "" {
		r := Request(c)
		key = digest(r.Key, r.Method, r.Route, r.Fingerprint)
	}
	repeats := rc.signature.lately && s.config.SignatureReplays == ReplaysBrief
	ok, err := s.shared.UseSignature(c.UserContext(), rc.signature.digest, key, rc.signature.expires, repeats)
	switch {
	case err != nil:
		return unavailable{err}
	case !ok:
		return ticket.RefuseField(ticket.Unauthorized, fiber.HeaderAuthorization,
			"this signed request was received before; sign it anew, or repeat it with the idempotency key that it came with")
	}
	rc.signature.counted = true
	return nil
}

// maxReturn is how long giving a signature back may take; whoever is refused waits for it.
const maxReturn = 2 * time.Second

// returnSignature gives back what rejectReplay counted, if the call was refused: a copy of it can then do no harm. Of what failed in any other
// way nobody knows what it did.
func (s *Server) returnSignature(c *fiber.Ctx, err error) {
	rc := requestOf(c)
	if err == nil || rc.signature == nil || !rc.signature.counted || s.config.SignatureReplays != ReplaysBrief || classify(err).Status >= http.StatusInternalServerError {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.UserContext()), maxReturn)
	defer cancel()
	if err := s.shared.ReturnSignature(ctx, rc.signature.digest); err != nil {
		s.log.WarnContext(ctx, "signature.return", "error", err)
	}
}
