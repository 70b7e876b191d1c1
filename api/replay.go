package api

import (
	"bytes"
	"context"
	"errors"
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

// usedSignature is the signature that a request was known by.
type usedSignature struct {
	digest  string
	expires time.Time
}

// Signed notes that a request was known by a signature, which nobody takes any more from the time on that it expires. A request that may
// change something is then taken once: a copy of it is refused.
func Signed(c *fiber.Ctx, app desk.App, signature []byte, expires time.Time) {
	requestOf(c).signature = &usedSignature{digest(app.Code, string(signature)), expires}
}

// rejectReplay refuses a copy of a signed request, unless it comes with the idempotency key that the first one came with: then what was done for the
// first is the answer, and if nothing was done, it is what its sender asked for and has not got. The key is held together with the address as
// it was sent: a signature fits several spellings of it, and each of them would have its own answers. A key that was not on the first is no
// excuse, because signatures need not cover it.
func (s *Server) rejectReplay(c *fiber.Ctx, scope desk.Scope) error {
	rc := requestOf(c)
	if rc.signature == nil || scope == desk.Read {
		return nil
	}
	key := ""
	if rc.key != "" {
		key = digest(rc.key, c.Method(), c.OriginalURL())
	}
	ok, err := s.shared.UseSignature(c.UserContext(), rc.signature.digest, key, rc.signature.expires)
	switch {
	case err != nil:
		return unavailable{err}
	case !ok:
		return ticket.RefuseField(ticket.Unauthorized, fiber.HeaderAuthorization,
			"this signed request was received before; sign it anew, or repeat it with the idempotency key that it came with")
	}
	return nil
}
