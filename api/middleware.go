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

	"signalbox/internal/watch"
	"signalbox/ticket"
)

var safeRequestID = regexp.MustCompile(`^[A-Za-z0-9._:/+=-]{1,128}$`)

// middleware is around every request: it gives it an id, keeps a panic from ending more than the request, and writes one line of log.
func (s *Server) middleware(c *fiber.Ctx) error {
	began := time.Now()
	rc := s.begin(c)
	s.beginSpan(c, rc)
	err := s.readBody(c)
	if err == nil {
		err = s.next(c)
	}
	if c.Method() == http.MethodOptions && len(c.Response().Header.Peek(fiber.HeaderAllow)) > 0 {
		err = c.SendStatus(http.StatusNoContent)
	}
	if err != nil {
		err = s.refuse(c, err)
	}
	compressStrangers(c)
	if s.draining.Load() {
		c.Context().SetConnectionClose()
	}
	s.auditRefusal(c, rc, began)
	s.endSpan(c, rc)
	took := time.Since(began)
	s.meter.count(c, rc, took)
	s.logAccess(c, rc, took)
	return err
}

// begin gives a request its id, once, and finds where it comes from.
func (s *Server) begin(c *fiber.Ctx) *requestContext {
	rc := requestOf(c)
	if rc.id != "" {
		return rc
	}
	rc.id = c.Get(fiber.HeaderXRequestID)
	if !safeRequestID.MatchString(rc.id) {
		rc.id = uuid.NewString()
	}
	c.Set(fiber.HeaderXRequestID, rc.id)
	securityHeaders(c)
	rc.address, rc.logins = s.address(c), s.logins
	return rc
}

func (s *Server) next(c *fiber.Ctx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
			s.log.ErrorContext(c.UserContext(), "http.panic", "request_id", RequestID(c), "panic", p, "stack", string(debug.Stack()))
		}
	}()
	return c.Next()
}

// logAccess writes what became of a request: everything in one place.
func (s *Server) logAccess(c *fiber.Ctx, rc *requestContext, took time.Duration) {
	status := c.Response().StatusCode()
	level := slog.LevelInfo
	switch {
	case rc.route == "" && (status < 400 || rc.refused == ""):
		level = slog.LevelDebug // health, which says no where a line has said why, and documents
	case status < 500:
	case rc.refused != ticket.Unavailable:
		level = slog.LevelError // a fault of ours
	case !watch.Refused(rc.cause): // that a store is away has a line of its own, once
		level = slog.LevelWarn
	}
	if !s.log.Enabled(c.UserContext(), level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("request_id", rc.id), slog.String("method", c.Method()), slog.String("path", c.Path()),
		slog.String("route", rc.route), slog.Int("status", status), slog.Duration("took", took),
		slog.String("remote", rc.address), slog.Int("bytes_in", len(c.BodyRaw())), slog.Int("bytes_out", len(c.Response().Body())),
	}
	if rc.family != nil {
		attrs = append(attrs, slog.String("family", string(rc.family.Channel)))
	}
	if rc.app.Code != "" {
		attrs = append(attrs, slog.String("tenant", rc.app.Tenant), slog.String("app", rc.app.Code))
	}
	if rc.app.Code == "" && rc.claimed != "" {
		attrs = append(attrs, slog.String("claimed", rc.claimed))
	}
	if rc.key != "" {
		attrs = append(attrs, slog.String("key", rc.key), slog.String("replayed", string(c.Response().Header.Peek(HeaderReplayed))))
	}
	if rc.refused != "" {
		// What was done is written down elsewhere, with who did it.
		if operator := subjectOf(c).Operator; operator != "" {
			attrs = append(attrs, slog.String("operator", operator))
		}
		attrs = append(attrs, slog.String("refused", string(rc.refused)), slog.String("why", strings.ToValidUTF8(rc.cause.Error(), "?")))
	}
	s.log.LogAttrs(c.UserContext(), level, "http.request", attrs...)
}
