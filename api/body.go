package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"signalbox/ratelimit"
	"signalbox/ticket"
)

// Bodies larger than this are large, and so many of them are taken from one address at once. Ordinary ones are small: an address has to open very
// many connections, and send all that it holds in memory, before it takes much of it.
const (
	largeBody       = 64 << 10
	largeAtOnce     = 64
	largeRetryAfter = time.Second
)

// readBody reads the body of a request. The HTTP layer would do it before anybody is asked, and set aside at once what a caller only announces: a
// thousand connections that send a header each would take a gigabyte.
func (s *Server) readBody(c *fiber.Ctx) error {
	if len(c.Request().Header.Peek(headerUnread)) > 0 {
		return cutOff(c, fiber.ErrRequestEntityTooLarge)
	}
	stream := c.Context().RequestBodyStream()
	if stream == nil {
		return nil
	}
	var body bytes.Buffer
	_, err := io.CopyN(&body, stream, largeBody)
	if err == nil {
		from := ratelimit.Network(requestOf(c).address)
		if !s.large.Enter(from, largeAtOnce) {
			drain(c.Context().Conn())
			return cutOff(c, Later(ticket.Refuse(ticket.Unavailable, "too many large bodies are under way; the request may be repeated"), largeRetryAfter))
		}
		defer s.large.Leave(from)
		body.Grow(max(0, c.Request().Header.ContentLength()-largeBody))
		_, err = io.CopyN(&body, stream, int64(s.config.BodyLimit-largeBody+1))
	}
	unclear := faultOf(c.Context().Conn())
	switch fault := net.Error(nil); {
	case err != nil && !errors.Is(err, io.EOF) && unclear != nil: // whoever reads the chunks does not always hand the error on
		drain(c.Context().Conn())
		return cutOff(c, unclear)
	case body.Len() > s.config.BodyLimit:
		return cutOff(c, fiber.ErrRequestEntityTooLarge)
	case errors.As(err, &fault) && fault.Timeout():
		return cutOff(c, fiber.ErrRequestTimeout)
	case err != nil && !errors.Is(err, io.EOF):
		return cutOff(c, fiber.NewError(http.StatusBadRequest, fmt.Sprintf("read the body: %v", err)))
	}
	c.Request().SetBodyRaw(body.Bytes())
	return nil
}

// headerUnread marks a request whose body is not to be read, because it is too large.
const headerUnread = "X-Signalbox-Unread"

// refuseUnread has a request refused at once that announces too large a body: the HTTP layer would wait for the beginning of it, or even ask for
// it.
func (s *Server) refuseUnread() {
	s.app.Server().HeaderReceived = func(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
		h.Del(headerUnread)
		if h.ContentLength() > s.config.BodyLimit {
			h.SetContentLength(0)
			h.Del(fiber.HeaderExpect)
			h.Set(headerUnread, "1")
		}
		return fasthttp.RequestConfig{}
	}
}

// cutOff refuses a request whose body was not read to its end. What follows on the connection is no request, and nobody is to read it: whoever
// asks for the body of such a request would wait for all of it.
func cutOff(c *fiber.Ctx, err error) error {
	c.Context().SetConnectionClose()
	c.Request().ResetBody()
	return err
}
