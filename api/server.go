package api

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"signalbox/desk"
	"signalbox/internal/framing"
	"signalbox/internal/tracing"
	"signalbox/ratelimit"
	"signalbox/ticket"
)

// Server is the front desk: one HTTP server for all families.
type Server struct {
	config   Config
	apps     Apps
	ready    func(ctx context.Context) error
	readable func(ctx context.Context) error // nil: as ready
	draining atomic.Bool
	unready  atomic.Bool                      // as /readyz said last
	listener atomic.Pointer[framing.Listener] // that is served
	log      *slog.Logger
	families []Family
	app      *fiber.App
	meter    *meter          // nil: nothing is counted
	tracer   *tracing.Tracer // nil: nothing is traced
	untraced []string        // prefixes of paths
	nothing  fiber.Handler   // answers browsers where there is nothing; nil: they are answered as callers are
	shared   Shared
	refusals *Refusals // nil: they are in the log alone
	desk     Desk      // nil: answers to reading are not kept
	limiter  *limiter
	logins   *logins
	underway atomic.Int64      // requests
	large    ratelimit.Counter // bodies
}

// New makes a server for the families. ready reports whether what stands behind the families answers; nil means it always does.
// What belongs to no family is answered in the words of the issue family, or of the first one.
func New(config Config, apps Apps, ready func(ctx context.Context) error, log *slog.Logger, families ...Family) *Server {
	config = config.Defaults()
	if log == nil {
		log = slog.Default()
	}
	s := &Server{config: config, apps: apps, ready: ready, log: log, families: families, logins: newLogins(config.FailedLogins, time.Now)}
	s.Share(NewMemory(time.Now))
	proxies := make([]string, len(config.TrustedProxies))
	for i, p := range config.TrustedProxies {
		proxies[i] = p.Masked().String()
	}
	s.app = fiber.New(fiber.Config{
		// Without this, strings read from a request change under whoever keeps them.
		Immutable:             true,
		CaseSensitive:         true,
		BodyLimit:             config.BodyLimit,
		StreamRequestBody:     true, // readBody reads it
		ReadBufferSize:        config.HeaderLimit,
		ReadTimeout:           config.ReadTimeout,
		WriteTimeout:          config.WriteTimeout,
		IdleTimeout:           config.IdleTimeout,
		DisableStartupMessage: true,
		// Forms would be taken apart, and their files written to disk, before anybody knows who sends them. No call takes one.
		DisablePreParseMultipartForm: true,
		EnableTrustedProxyCheck:      true,
		TrustedProxies:               proxies,
		ErrorHandler:                 s.refuse,
	})
	s.app.Use(s.middleware)
	if len(config.CORSOrigins) > 0 {
		s.app.Use(s.cors())
	}
	for i := range s.families {
		family := &s.families[i]
		family.check()
		if len(family.Pages) > 0 {
			s.app.Use(s.familyCORS(family))
		}
		for _, route := range family.Routes {
			s.app.Add(route.Method, route.Path, s.serve(family, route))
			// HEAD changes nothing (RFC 9110, section 9.2.1), which not every GET of old contracts can say of itself.
			if route.Method == http.MethodGet && route.Scope == desk.Read {
				s.app.Add(http.MethodHead, route.Path, s.serve(family, route))
			}
		}
	}
	s.health()
	s.guardMethods()
	s.refuseUnread()
	s.refuseMalformed()
	return s
}

// App is the Fiber application, for tests and for pages beside the families.
func (s *Server) App() *fiber.App { return s.app }

// Page serves something that is the same for everybody, without a credential: health, documents. It is no part of any family, and not traced.
func (s *Server) Page(path string, handler fiber.Handler) {
	s.app.Get(path, handler)
	s.untraced = append(s.untraced, path)
}

// Browsers has a handler answer browsers at paths at which there is nothing and that belong to no family. Callers, and whoever asks below the paths of a family, are refused in
// the words of one. It must be called before serving.
func (s *Server) Browsers(nothing fiber.Handler) { s.nothing = nothing }

// browses reports whether a page is asked for: text/html before JSON, as browsers do where somebody follows a link.
func browses(c *fiber.Ctx) bool {
	return (c.Method() == http.MethodGet || c.Method() == http.MethodHead) && c.Accepts(fiber.MIMEApplicationJSON, fiber.MIMETextHTML) == fiber.MIMETextHTML
}

// Families lists what the server was made of.
func (s *Server) Families() []Family { return s.families }

// Share makes limits and signatures that were used hold for all processes together; otherwise they hold for this one. It must be called
// before serving.
func (s *Server) Share(shared Shared) {
	s.shared = shared
	s.limiter = newLimiter(shared, time.Now)
}

// Listen serves on a TCP address until Shutdown.
func (s *Server) Listen(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return s.Serve(l)
}

// Serve serves on a listener until Shutdown, and closes it; with TLS if the config names a certificate.
func (s *Server) Serve(l net.Listener) error {
	around, stop, err := s.transport(l)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	defer stop()
	s.listener.Store(around)
	return s.app.Listener(around)
}

// silentFor is how long somebody who has just connected may take to say something when the server ends.
const silentFor = time.Second

// Shutdown takes no more requests and waits for those under way, as long as ctx allows. Connections on which nothing came, such as those that balancers keep
// for later, are not waited for.
func (s *Server) Shutdown(ctx context.Context) error {
	if l := s.listener.Load(); l != nil {
		defer time.AfterFunc(silentFor, l.CloseSilent).Stop()
	}
	return s.app.ShutdownWithContext(ctx)
}

// serve carries one request to its call: who is it, may they, is the request well formed; then the call itself.
func (s *Server) serve(family *Family, route Route) fiber.Handler {
	return func(c *fiber.Ctx) error {
		rc := requestOf(c)
		rc.types = s.config.IncidentTypes
		rc.family, rc.route, rc.operation, rc.changes = family, route.Path, cmp.Or(route.Operation, route.Path), route.changes()
		defer s.underway.Add(-1)
		if s.underway.Add(1) > int64(s.config.ConcurrentRequests) {
			return Later(ticket.Refuse(ticket.Unavailable, "too many requests are under way; the request may be repeated"), time.Second)
		}
		ctx, cancel := context.WithTimeout(c.UserContext(), s.config.RequestTimeout)
		defer cancel()
		ctx, rc.trail = desk.WithTrail(ctx)
		c.SetUserContext(ctx)
		c.Set(fiber.HeaderCacheControl, "no-store")

		var err error
		if len(c.BodyRaw()) > s.config.BodyLimit {
			return fiber.ErrRequestEntityTooLarge
		}
		if rc.app, err = s.authorize(c, family, route.Scope); err != nil {
			return err
		}
		if route.changes() {
			if err := refuseLoop(c); err != nil {
				return err
			}
		}
		if family.Exact && route.Method == http.MethodGet && !route.Query {
			if err := noQuery(c); err != nil {
				return err
			}
		}
		if route.keyed() {
			c.Set(HeaderReplayed, "false")
			if rc.key, err = idempotencyKey(c); err != nil {
				return err
			}
		}
		if err := s.rejectReplay(c, route.Scope); err != nil {
			return err
		}
		if rc.key != "" && !route.changes() {
			err = s.cacheRead(c, route.Handler)
		} else {
			err = route.Handler(c)
		}
		s.returnSignature(c, err)
		return err
	}
}

// noQuery refuses whatever stands in the query of a call that reads nothing there.
func noQuery(c *fiber.Ctx) error {
	q, err := ReadQuery(c)
	if err != nil {
		return err
	}
	return q.Err()
}

// refuse answers an error in the words of the family whose path was asked for.
func (s *Server) refuse(c *fiber.Ctx, err error) error {
	// What the HTTP layer refuses never came through the middleware.
	rc, r := s.begin(c), classify(err)
	rc.refused, rc.cause = r.Code, err
	if r.Code == TooLarge {
		drain(c.Context().Conn())
	}
	family := rc.family
	if family == nil && r.Code == NoRoute && s.nothing != nil && s.ownerOf(c.Path()) == nil && browses(c) {
		return s.nothing(c)
	}
	if family == nil {
		family = s.familyOf(c.Path())
	}
	if family == nil {
		return c.SendStatus(r.Status)
	}
	if seconds, ok := retryAfterOf(r.Code, err); ok {
		c.Set(fiber.HeaderRetryAfter, strconv.Itoa(seconds))
	}
	if r.Code == ticket.Unauthorized {
		c.Set(fiber.HeaderWWWAuthenticate, `Access_Key realm="signalbox", Bearer realm="signalbox"`)
	}
	c.Status(r.Status)
	return family.Refuse(c, r)
}

// ownerOf finds the family that a path belongs to; nil: none does.
func (s *Server) ownerOf(path string) *Family {
	var found *Family
	best := 0
	for i := range s.families {
		f := &s.families[i]
		if length := f.prefix(path); length > best {
			found, best = f, length
		}
	}
	return found
}

// familyOf finds whose words fit a path that no call was found for.
func (s *Server) familyOf(path string) *Family {
	if found := s.ownerOf(path); found != nil || len(s.families) == 0 {
		return found
	}
	for i := range s.families {
		if s.families[i].Channel == ticket.ChannelIssue {
			return &s.families[i]
		}
	}
	return &s.families[0]
}

// guardMethods has methods that Fiber does not know answered like one that it knows and no route takes, Allow included; by itself it would answer them in
// plain text.
func (s *Server) guardMethods() {
	server := s.app.Server()
	inner := server.Handler
	known := map[string]bool{}
	for _, method := range s.app.Config().RequestMethods {
		known[method] = true
	}
	server.Handler = func(rctx *fasthttp.RequestCtx) {
		if !known[string(rctx.Method())] {
			rctx.Request.Header.SetMethod(http.MethodTrace)
		}
		inner(rctx)
	}
}

// refuseMalformed answers what never became a request: it is not HTTP, its end is not clear, or its head is too large or too slow. Its first line,
// as far as it came, says whose words fit.
func (s *Server) refuseMalformed() {
	s.app.Server().ErrorHandler = func(rctx *fasthttp.RequestCtx, err error) {
		conn, _ := rctx.Conn().(framed)
		var method, target string
		var slow net.Error
		switch {
		case conn != nil && conn.Fault() != nil:
			err, method, target = conn.Fault(), conn.Fault().Method, conn.Fault().Target
		case errors.As(err, new(*fasthttp.ErrSmallBuffer)):
			err = fiber.ErrRequestHeaderFieldsTooLarge
		case errors.As(err, &slow) && slow.Timeout():
			err = fiber.ErrRequestTimeout
		default:
			err = fiber.NewError(http.StatusBadRequest, err.Error())
		}
		if conn != nil && target == "" {
			method, target = conn.Begun()
		}
		rctx.Request.Reset()
		if strings.HasPrefix(target, "/") && !strings.HasPrefix(target, "//") {
			rctx.Request.Header.SetMethod(method)
			rctx.Request.SetRequestURI(target)
		}
		drain(rctx.Conn())
		s.refuseOutright(rctx, err)
	}
}

// refuseOutright answers what is kept from Fiber, with the line in the log and the count that every request has.
func (s *Server) refuseOutright(rctx *fasthttp.RequestCtx, err error) {
	began := time.Now()
	c := s.app.AcquireCtx(rctx)
	defer s.app.ReleaseCtx(c)
	rc := s.begin(c)
	if err := s.refuse(c, err); err != nil {
		s.log.Error("http.refuse", "error", err)
	}
	took := time.Since(began)
	s.meter.count(c, rc, took)
	s.logAccess(c, rc, took)
}
