package api

import (
	"context"
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"
)

// health serves /healthz (the process is up) and /readyz (what stands behind it answers).
func (s *Server) health() {
	s.Page("/healthz", func(c *fiber.Ctx) error { return Respond(c, http.StatusOK, fiber.Map{"status": "ok"}) })
	s.Page("/readyz", func(c *fiber.Ctx) error {
		if s.ready == nil {
			return Respond(c, http.StatusOK, fiber.Map{"status": "ok"})
		}
		ctx, cancel := context.WithTimeout(c.UserContext(), min(s.config.RequestTimeout, 3*time.Second))
		defer cancel()
		if err := s.ready(ctx); err != nil {
			s.log.Warn("readyz", "error", err)
			return Respond(c, http.StatusServiceUnavailable, fiber.Map{"status": "unavailable"})
		}
		return Respond(c, http.StatusOK, fiber.Map{"status": "ok"})
	})
}
