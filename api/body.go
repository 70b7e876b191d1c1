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
	switch string(c.Request().Header.Peek(headerUnread)) {
	case tooLarge:
		return cutOff(c, fiber.ErrRequestEntityTooLarge)
	case unclear:
		return cutOff(c, fiber.NewError(http.StatusBadRequest, "the length of the body is said more than once"))
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
	switch fault := net.Error(nil); {
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

// headerUnread marks a request whose body is not to be read, and says why.
const (
	headerUnread = "X-Signalbox-Unread"
	tooLarge     = "too large"
	unclear      = "unclear" // where it ends
)

// refuseUnread has a request refused at once that announces too large a body: the HTTP layer would wait for the beginning of it, or even ask for
// it. And one that says more than once how long its body is (RFC 9112, section 6.3): where a proxy in front believes the other word, a stranger's
// body is taken for somebody else's next request.
func (s *Server) refuseUnread() {
	s.app.Server().HeaderReceived = func(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
		why := ""
		switch {
		case lengths(h.RawHeaders()) > 1:
			why = unclear
		case h.ContentLength() > s.config.BodyLimit:
			why = tooLarge
		}
		h.Del(headerUnread)
		if why != "" {
			h.SetContentLength(0)
			h.Del(fiber.HeaderExpect)
			h.Set(headerUnread, why)
		}
		return fasthttp.RequestConfig{}
	}
}

// lengths counts the headers that say how long a body is.
func lengths(headers []byte) (n int) {
	for line := range bytes.Lines(headers) {
		name, _, _ := bytes.Cut(line, []byte(":"))
		if name := bytes.TrimSpace(name); bytes.EqualFold(name, []byte(fiber.HeaderContentLength)) || bytes.EqualFold(name, []byte(fiber.HeaderTransferEncoding)) {
			n++
		}
	}
	return n
}

// cutOff refuses a request whose body was not read to its end. What follows on the connection is no request, and nobody is to read it: whoever
// asks for the body of such a request would wait for all of it.
func cutOff(c *fiber.Ctx, err error) error {
	c.Context().SetConnectionClose()
	c.Request().ResetBody()
	return err
}
