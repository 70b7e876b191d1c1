package api

import (
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"
)

var safeRequestID = regexp.MustCompile(`^[A-Za-z0-9._:/+=-]{1,128}$`)

// greet is around every request: it gives it an id, keeps a panic from ending more than the request, and writes one line of log.
func (s *Server) greet(c *fiber.Ctx) error {
	began := time.Now()
	v := s.begin(c)
	err := s.takeIn(c)
	if err == nil {
		err = s.next(c)
	}
	if c.Method() == http.MethodOptions && len(c.Response().Header.Peek(fiber.HeaderAllow)) > 0 {
		err = c.SendStatus(http.StatusNoContent)
	}
	if err != nil {
		err = s.refuse(c, err)
	}
	s.keep(c, v, began)
	took := time.Since(began)
	s.meter.count(c, v, took)
	s.line(c, v, took)
	return err
}

// begin gives a request its id, once, and finds where it comes from.
func (s *Server) begin(c *fiber.Ctx) *visit {
	v := visitOf(c)
	if v.id != "" {
		return v
	}
	v.id = c.Get(fiber.HeaderXRequestID)
	if !safeRequestID.MatchString(v.id) {
		v.id = uuid.NewString()
	}
	c.Set(fiber.HeaderXRequestID, v.id)
	harden(c)
	v.address, v.logins = s.address(c), s.logins
	return v
}

func (s *Server) next(c *fiber.Ctx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
			s.log.Error("http.panic", "request_id", RequestID(c), "panic", p, "stack", string(debug.Stack()))
		}
	}()
	return c.Next()
}

// line writes what became of a request: everything in one place.
func (s *Server) line(c *fiber.Ctx, v *visit, took time.Duration) {
	status := c.Response().StatusCode()
	level := slog.LevelInfo
	switch {
	case v.route == "" && status < 400:
		level = slog.LevelDebug // health, documents
	case status >= 500:
		level = slog.LevelError
	}
	if !s.log.Enabled(c.UserContext(), level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("request_id", v.id), slog.String("method", c.Method()), slog.String("path", c.Path()),
		slog.String("route", v.route), slog.Int("status", status), slog.Duration("took", took),
		slog.String("remote", v.address), slog.Int("bytes_in", len(c.BodyRaw())), slog.Int("bytes_out", len(c.Response().Body())),
	}
	if v.family != nil {
		attrs = append(attrs, slog.String("family", string(v.family.Channel)))
	}
	if v.app.Code != "" {
		attrs = append(attrs, slog.String("tenant", v.app.Tenant), slog.String("app", v.app.Code))
	}
	if v.app.Code == "" && v.claimed != "" {
		attrs = append(attrs, slog.String("claimed", v.claimed))
	}
	if v.key != "" {
		attrs = append(attrs, slog.String("key", v.key), slog.String("replayed", string(c.Response().Header.Peek(HeaderReplayed))))
	}
	if v.refused != "" {
		// What was done is written down elsewhere, with who did it.
		if operator := operatorOf(c); operator != "" {
			attrs = append(attrs, slog.String("operator", operator))
		}
		attrs = append(attrs, slog.String("refused", string(v.refused)), slog.String("why", strings.ToValidUTF8(v.cause.Error(), "?")))
	}
	s.log.LogAttrs(c.UserContext(), level, "http.request", attrs...)
}
