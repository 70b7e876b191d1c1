package api

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/cors"

	"signalbox/internal/tracing"
)

// securityHeaders sets headers that keep a browser from doing more with an answer than it should. Pages that need more say so themselves.
func securityHeaders(c *fiber.Ctx) {
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	c.Set(fiber.HeaderContentSecurityPolicy, "default-src 'none'; frame-ancestors 'none'")
	c.Set(fiber.HeaderXFrameOptions, "DENY")
	c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
	if c.Protocol() == "https" {
		// A year, as RFC 6797 has it in its examples. A browser takes it over TLS only.
		c.Set(fiber.HeaderStrictTransportSecurity, "max-age=31536000")
	}
}

// Origins are the web pages that may call from a browser: scheme, host and port if it is not the usual one.
type Origins []string

// Decode reads a list with commas between; envconfig calls it. There is no "*": whoever may call is named.
func (o *Origins) Decode(text string) error {
	if strings.TrimSpace(text) == "" {
		return nil // as if it were not set
	}
	for origin := range strings.SplitSeq(text, ",") {
		origin = strings.TrimSpace(origin)
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.Contains(u.Host, "*") || u.Scheme+"://"+u.Host != origin {
			return fmt.Errorf("%q is not an origin such as https://tickets.example.com", origin)
		}
		*o = append(*o, strings.ToLower(origin))
	}
	return nil
}

// cors lets pages of the allowed origins call the families. Cookies stay outside: callers bring their credential in a header.
func (s *Server) cors() fiber.Handler {
	var headers []string
	for _, f := range s.families {
		headers = append(headers, f.Headers...)
	}
	return cors.New(cors.Config{
		Next: func(c *fiber.Ctx) bool {
			f := s.ownerOf(c.Path())
			return f == nil || len(f.Pages) > 0
		},
		AllowOrigins: strings.Join(s.config.CORSOrigins, ","),
		AllowMethods: "GET,HEAD,POST,PUT,PATCH,DELETE",
		AllowHeaders: strings.Join(append(headers, fiber.HeaderAuthorization, fiber.HeaderContentType, HeaderToken, HeaderKey, HeaderXKey,
			fiber.HeaderXRequestID, fiber.HeaderIfNoneMatch, fiber.HeaderIfMatch, tracing.ParentHeader, tracing.StateHeader), ","),
		ExposeHeaders: strings.Join([]string{fiber.HeaderXRequestID, HeaderReplayed, fiber.HeaderRetryAfter, fiber.HeaderETag, HeaderRateLimit, HeaderRateRemaining,
			HeaderRateReset}, ","),
		MaxAge: 600,
	})
}

// familyCORS lets the pages that a family names call it, with cookies too.
func (s *Server) familyCORS(f *Family) fiber.Handler {
	return cors.New(cors.Config{
		Next:             func(c *fiber.Ctx) bool { return s.ownerOf(c.Path()) != f },
		AllowOrigins:     strings.Join(f.Pages, ","),
		AllowCredentials: true,
		AllowMethods:     "POST",
		AllowHeaders:     strings.Join(append([]string{fiber.HeaderAuthorization, fiber.HeaderContentType, HeaderToken, fiber.HeaderXRequestID}, f.Headers...), ","),
		ExposeHeaders:    fiber.HeaderXRequestID,
		MaxAge:           600,
	})
}
