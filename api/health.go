package api

import (
	"context"
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"
)

// health serves /healthz (the process is up) and /readyz (what stands behind it answers, and it is not about to end). A balancer that sends reads elsewhere
// than changes asks /readyz?for=reads for the one.
func (s *Server) health() {
	s.Page("/healthz", func(c *fiber.Ctx) error { return Respond(c, http.StatusOK, fiber.Map{"status": "ok"}) })
	s.Page("/readyz", func(c *fiber.Ctx) error {
		ready := s.ready
		switch c.Query("for") {
		case "":
		case "reads":
			if s.readable != nil {
				ready = s.readable
			}
		default:
			return Respond(c, http.StatusBadRequest, fiber.Map{"status": "for can be reads"})
		}
		switch {
		case s.draining.Load():
			return Respond(c, http.StatusServiceUnavailable, fiber.Map{"status": "stopping"})
		case ready == nil:
			return Respond(c, http.StatusOK, fiber.Map{"status": "ok"})
		}
		ctx, cancel := context.WithTimeout(c.UserContext(), min(s.config.RequestTimeout, 3*time.Second))
		defer cancel()
		if err := ready(ctx); err != nil {
			if s.unready.CompareAndSwap(false, true) { // once, and not each time that a balancer asks
				s.log.Warn("not ready", "for", c.Query("for"), "error", err)
			}
			return Respond(c, http.StatusServiceUnavailable, fiber.Map{"status": "unavailable"})
		}
		s.unready.Store(false)
		return Respond(c, http.StatusOK, fiber.Map{"status": "ok"})
	})
}

// ReadyToRead says when calls that only read can be answered, where that is more often than for all of them. It must be called before serving.
func (s *Server) ReadyToRead(ready func(ctx context.Context) error) { s.readable = ready }

// Drain has /readyz say no from now on, and every answer end its connection, so that nobody is on one when it is closed. Requests are still taken.
func (s *Server) Drain() { s.draining.Store(true) }
