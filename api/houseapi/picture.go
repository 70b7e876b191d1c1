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
func Picture(find Drawn) fiber.Handler { return PictureBy(find, diagram.Draw) }

// PictureBy is Picture for whoever draws by themselves, such as in another language.
func PictureBy(find Drawn, draw func(flow.Definition, *flow.Position) diagram.Picture) fiber.Handler {
	return drawing(find, "image/svg+xml; charset=utf-8", draw)
}

// Graph serves a process in the language of Graphviz (DOT), for those who lay out with that.
func Graph(find Drawn) fiber.Handler {
	return drawing(find, "text/vnd.graphviz; charset=utf-8", func(def flow.Definition, at *flow.Position) diagram.Picture {
		return diagram.Tagged([]byte(diagram.DOT(def, at)))
	})
}

// drawing answers with a picture, or that it is the one that the caller has (RFC 9110, section 13.1.2). The tag is weak, because the picture may be sent
// compressed.
func drawing(find Drawn, contentType string, draw func(flow.Definition, *flow.Position) diagram.Picture) fiber.Handler {
	return func(c *fiber.Ctx) error {
		def, at, err := find(c)
		if err != nil {
			return err
		}
		picture := draw(def, at)
		c.Set(fiber.HeaderETag, `W/"`+picture.Tag+`"`)
		c.Set(fiber.HeaderCacheControl, "no-cache")
		c.Status(http.StatusOK)
		if c.Get(fiber.HeaderIfNoneMatch) != "" && c.Fresh() {
			c.Status(http.StatusNotModified)
			return nil
		}
		c.Set(fiber.HeaderContentType, contentType)
		c.Set(fiber.HeaderContentSecurityPolicy, picturePolicy)
		return c.Send(picture.Bytes)
	}
}
