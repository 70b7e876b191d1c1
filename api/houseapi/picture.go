package houseapi

import (
	"net/http"

	"github.com/gofiber/fiber/v2"
)

// picturePolicy lets a picture that is opened by itself do nothing but be drawn.
const picturePolicy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox"

// Graph writes a graph in the language of Graphviz (DOT).
func Graph(c *fiber.Ctx, dot string) error {
	c.Set(fiber.HeaderContentType, "text/vnd.graphviz; charset=utf-8")
	c.Set(fiber.HeaderContentSecurityPolicy, picturePolicy)
	c.Set(fiber.HeaderCacheControl, "no-cache")
	return c.Status(http.StatusOK).SendString(dot)
}

// Picture writes an SVG.
func Picture(c *fiber.Ctx, svg []byte) error {
	c.Set(fiber.HeaderContentType, "image/svg+xml; charset=utf-8")
	c.Set(fiber.HeaderContentSecurityPolicy, picturePolicy)
	c.Set(fiber.HeaderCacheControl, "no-cache")
	return c.Status(http.StatusOK).Send(svg)
}
