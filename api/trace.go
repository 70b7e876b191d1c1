package api

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"signalbox/internal/tracing"
)

// Trace has requests traced from now on by the tracer, unless that is nil, but for what is under one of some prefixes. It must be called before serving.
func (s *Server) Trace(tracer *tracing.Tracer, but ...string) {
	s.tracer, s.untraced = tracer, append(s.untraced, but...)
}

// beginSpan begins the span of a request.
func (s *Server) beginSpan(c *fiber.Ctx, rc *requestContext) {
	if s.tracer == nil {
		return
	}
	path := c.Path()
	for _, prefix := range s.untraced {
		if strings.HasPrefix(path, prefix) {
			return
		}
	}
	ctx, span := s.tracer.Receive(c.UserContext(), c.Method(), func(name string) (values []string) {
		for _, value := range c.Request().Header.PeekAll(name) {
			values = append(values, string(value))
		}
		return values
	})
	if span.Recording() {
		c.SetUserContext(ctx)
		rc.span = span
	}
}

// endSpan ends it with what became of the request. The query is left out: credentials may be in it, and what is searched for.
func (s *Server) endSpan(c *fiber.Ctx, rc *requestContext) {
	if !rc.span.Recording() {
		return
	}
	span, route, status := rc.span, rc.route, c.Response().StatusCode()
	if matched := c.Route().Path; route == "" && status != http.StatusNotFound && matched != "/" {
		route = matched // of a page
	}
	if route != "" {
		span.Name(c.Method() + " " + route)
	}
	span.Text(tracing.Method, c.Method())
	span.Text(tracing.Route, route)
	span.Text(tracing.Path, c.Path())
	span.Text(tracing.Scheme, c.Protocol())
	span.Text(tracing.Client, rc.address)
	span.Text(tracing.RequestID, rc.id)
	span.Text(tracing.Tenant, rc.app.Tenant)
	span.Text(tracing.App, rc.app.Code)
	span.Number(tracing.Status, int64(status))
	if rc.family != nil {
		span.Text(tracing.Channel, string(rc.family.Channel))
	}
	switch {
	case status >= http.StatusInternalServerError && rc.refused != "":
		span.Fail(string(rc.refused))
	case status >= http.StatusInternalServerError:
		span.Fail(strconv.Itoa(status))
	default:
		span.Text(tracing.Refused, string(rc.refused))
	}
	span.End()
}
