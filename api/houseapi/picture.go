package houseapi

import (
	"net/http"

	"github.com/gofiber/fiber/v2"

	"signalbox/diagram"
	"signalbox/flow"
)

// picturePolicy lets a picture that is opened by itself do nothing but be drawn.
const picturePolicy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox"

// Drawn finds the process that a request has drawn; at says what of it is done, current and skipped, and is nil where no ticket runs through it.
type Drawn func(c *fiber.Ctx) (def flow.Definition, at *flow.Position, err error)

// Picture serves a process as an SVG.
func Picture(find Drawn) fiber.Handler {
	return drawing(find, "image/svg+xml; charset=utf-8", diagram.SVG)
}

// Graph serves a process in the language of Graphviz (DOT), for those who lay out with that.
func Graph(find Drawn) fiber.Handler {
	return drawing(find, "text/vnd.graphviz; charset=utf-8", func(def flow.Definition, at *flow.Position) []byte { return []byte(diagram.DOT(def, at)) })
}

func drawing(find Drawn, contentType string, draw func(flow.Definition, *flow.Position) []byte) fiber.Handler {
	return func(c *fiber.Ctx) error {
		def, at, err := find(c)
		if err != nil {
			return err
		}
		c.Set(fiber.HeaderContentType, contentType)
		c.Set(fiber.HeaderContentSecurityPolicy, picturePolicy)
		c.Set(fiber.HeaderCacheControl, "no-cache")
		return c.Status(http.StatusOK).Send(draw(def, at))
	}
}
